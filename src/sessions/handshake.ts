/**
 * The first frame of a connection (§6.2, §6.3): `session.hello` opens a session or resumes one, `session.resume` resumes
 * one. Authentication comes first, always. Each welcome carries a new resume token; valid from then on are that one and
 * the one presented last, so that a welcome lost on the way locks nobody out.
 */
import type { Authenticator, Credentials } from "../identity/authenticator.ts";
import { equalHashes, hashToken } from "../identity/token-hash.ts";
import type { Visibility } from "../identity/visibility.ts";
import type { SessionId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SessionRow } from "../kernel/ports.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import { toHex } from "../platform/hex.ts";
import type { World } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import { ADVERTISED_FEATURES, intersectFeatures } from "../protocol/features.ts";
import type { Message, MessageOf } from "../protocol/registry.ts";
import type { ResumePoint } from "../protocol/session-messages.ts";
import type { Channel } from "./channel.ts";
import { endHiddenFollows } from "./hidden-follows.ts";
import { beyondLimit } from "./limits.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { Principals } from "./principals.ts";
import type { Session } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";

const RESUME_TOKEN_BYTES = 32;

export interface HandshakeOptions {
  readonly kernel: Kernel;
  readonly visibility: Visibility;
  readonly outbox: Outbox;
  readonly registry: SessionRegistry;
  readonly principals: Principals;
  readonly authenticator: Authenticator;
  readonly world: World;
  readonly runtime: { readonly name: string; readonly version: string };
  readonly resumeWindowSec: number;
  readonly heartbeatIntervalSec: number;
}

/** Who came, by which credentials, and the session they are in. */
export interface Welcomed {
  readonly principal: Principal;
  readonly credentials: Credentials;
  readonly session: Session;
}

export class Handshake {
  readonly #options: HandshakeOptions;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /**
   * Answers a first frame with a welcome, once the session it promises is durable. The connection counts as one of the
   * principal's from then on; whoever called says when it is gone.
   * @throws CodedError UNAUTHENTICATED, RESUME_WINDOW_EXPIRED, INVALID_REQUEST, or INTERNAL_ERROR for a limit or a store
   * that failed. The connection closes after any of them.
   */
  async welcome(channel: Channel, message: Message<"to-runtime">): Promise<Welcomed> {
    if (message.type !== "session.hello" && message.type !== "session.resume") {
      throw new CodedError(
        "INVALID_REQUEST",
        `the first message must be session.hello or session.resume, not ${message.type}`,
        {
          details: { field: "type" },
        },
      );
    }
    const credentials = credentialsOf(channel, message);
    const principal = await this.#authenticate(credentials);
    const wait = this.#options.principals.takeMessage(principalKey(principal));
    if (wait > 0)
      throw beyondLimit("maxMessagesPerSecondPerPrincipal", "too many messages of yours come at once", wait);
    const point = message.type === "session.resume" ? message.payload : message.payload.resume;
    if (point !== undefined) {
      return { principal, credentials, session: await this.#resume(channel, message.id, principal, point) };
    }
    if (message.type === "session.resume") throw new CodedError("INVALID_REQUEST", "session.resume names no session");
    return { principal, credentials, session: await this.#open(channel, message, principal) };
  }

  async #authenticate(credentials: Credentials): Promise<Principal> {
    const principal = await this.#options.authenticator.authenticate(credentials);
    if (principal !== undefined) return principal;
    const problem = credentials.token === undefined ? "no token was given" : "the token is unknown, revoked or expired";
    this.#options.kernel.audit({
      principal: null,
      action: "session.authenticate",
      job: null,
      owner: null,
      allowed: false,
      source: credentials.address ?? "unknown",
      details: { code: "UNAUTHENTICATED", reason: problem },
    });
    throw new CodedError("UNAUTHENTICATED", `${problem}; send a bearer token in payload.auth.token`);
  }

  #open(channel: Channel, message: MessageOf<"session.hello">, principal: Principal): Promise<Session> {
    const features = intersectFeatures(message.payload.capabilities.features);
    const { registry } = this.#options;
    return this.#counted(principal, false, async () => {
      const id = this.#options.world.ids.next("sess");
      const token = this.#newToken(id);
      const session = registry.create(id, principal, features, hashToken(token));
      try {
        return await this.#store(session.row, () => {
          this.#greet(channel, session, message.id, token);
          registry.attach(session, channel, 0);
          return session;
        });
      } catch (error) {
        registry.discard(session);
        throw error;
      }
    });
  }

  /** Counts a connection of the principal, unless `open` fails. */
  async #counted(principal: Principal, supersedes: boolean, open: () => Promise<Session>): Promise<Session> {
    const { principals } = this.#options;
    const key = principalKey(principal);
    principals.addConnection(key, supersedes);
    try {
      return await open();
    } catch (error) {
      principals.removeConnection(key);
      throw error;
    }
  }

  async #resume(channel: Channel, requestId: string, principal: Principal, point: ResumePoint): Promise<Session> {
    const { registry } = this.#options;
    const id = point.session_id ?? sessionOfToken(point.resume_token);
    if (id === undefined) {
      throw new CodedError("INVALID_REQUEST", "session_id is missing, and the resume_token does not tell it", {
        details: { field: "session_id" },
      });
    }
    const session = await registry.find(id);
    // A foreign session is answered like one that never was.
    if (session === undefined || session.principal !== principalKey(principal)) {
      if (session !== undefined) this.#auditResume(principal, session, "another principal's session");
      throw isOver(id);
    }
    if (!isValidToken(session.row, hashToken(point.resume_token))) {
      this.#auditResume(principal, session, "wrong resume_token");
      throw new CodedError(
        "UNAUTHENTICATED",
        "the resume_token is not the newest of this session, nor the one presented last",
      );
    }
    const { head } = session.stream;
    if (point.last_event_seq > head) {
      throw new CodedError("INVALID_REQUEST", `last_event_seq must be at most ${head}, the session's newest event`, {
        details: { field: "last_event_seq" },
      });
    }
    if (point.last_event_seq < session.released) {
      throw new CodedError(
        "RESUME_WINDOW_EXPIRED",
        `events up to ${session.released} were acknowledged and are not kept`,
      );
    }
    return this.#counted(principal, session.channel !== undefined, () =>
      this.#takeUp(channel, requestId, principal, session, point),
    );
  }

  async #takeUp(
    channel: Channel,
    requestId: string,
    principal: Principal,
    session: Session,
    point: ResumePoint,
  ): Promise<Session> {
    const { registry } = this.#options;
    if (!registry.takeUp(session)) throw isOver(session.id);
    const presented = hashToken(point.resume_token);
    const token = this.#newToken(session.id);
    const before = session.row;
    const row: SessionRow = { ...before, newestToken: hashToken(token), presentedToken: presented };
    // At once, and not only when it is durable: a resume that comes meanwhile is held against the token presented here.
    session.row = row;
    // What was acknowledged beyond the place resumed from is asked for again: it is kept after all.
    session.acknowledged = session.released;
    session.resuming++;
    try {
      await endHiddenFollows({ ...this.#options, timers: this.#options.world.timers }, session, principal);
      return await this.#store(row, () => {
        this.#greet(channel, session, requestId, token);
        session.resuming--;
        registry.attach(session, channel, point.last_event_seq);
        return session;
      });
    } catch (error) {
      session.resuming--;
      if (session.row === row) session.row = before;
      registry.park(session);
      throw error;
    }
  }

  /** Who takes up a session that is not theirs to take up. */
  #auditResume(principal: Principal, session: Session, reason: string): void {
    this.#options.kernel.audit({
      principal: principalKey(principal),
      action: "session.authenticate",
      job: null,
      owner: session.principal,
      allowed: false,
      details: { code: "RESUME_REFUSED", reason },
    });
  }

  /** Makes a session's row durable; `then` runs in the turn in which it is. */
  #store(row: SessionRow, then: () => Session): Promise<Session> {
    return new Promise((resolve, reject) => {
      this.#options.kernel.plan(() => ({
        rows: { sessions: [row] },
        committed: () => resolve(then()),
        failed: (cause) =>
          reject(new CodedError("INTERNAL_ERROR", "the session could not be stored; try again", { cause })),
      }));
    });
  }

  #greet(channel: Channel, session: Session, requestId: string, token: string): void {
    const { runtime, resumeWindowSec, heartbeatIntervalSec, kernel } = this.#options;
    channel.sessionId = session.id;
    channel.send("session.welcome", {
      session_id: session.id,
      request_id: requestId,
      runtime,
      resume_token: token,
      resume_window_sec: resumeWindowSec,
      heartbeat_interval_sec: heartbeatIntervalSec,
      capabilities: {
        encodings: ["json"],
        features: ADVERTISED_FEATURES.filter((feature) => session.features.has(feature)),
        agents: kernel.listAgents().map((agent) => ({ ...agent, versions: [...agent.versions] })),
      },
    });
  }

  /** Tells its session, for clients that present nothing else. */
  #newToken(session: SessionId): string {
    return `rt_${toHex(this.#options.world.random.bytes(RESUME_TOKEN_BYTES))}.${session}`;
  }
}

/** The token of the message, or else of the upgrade. */
function credentialsOf(channel: Channel, message: MessageOf<"session.hello" | "session.resume">): Credentials {
  const { auth } = message.payload;
  const { bearer, address } = channel.connection.peer;
  return { scheme: auth?.scheme, token: auth?.token ?? bearer, address };
}

function isOver(id: SessionId): CodedError {
  return new CodedError(
    "RESUME_WINDOW_EXPIRED",
    `session ${id} is not kept any more; open a new one with session.hello`,
  );
}

function sessionOfToken(token: string): SessionId | undefined {
  const dot = token.indexOf(".");
  return dot < 0 ? undefined : token.slice(dot + 1);
}

function isValidToken(row: SessionRow, presented: string): boolean {
  const newest = equalHashes(row.newestToken, presented);
  const last = row.presentedToken !== null && equalHashes(row.presentedToken, presented);
  return newest || last;
}
