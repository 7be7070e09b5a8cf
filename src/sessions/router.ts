/** From a decoded message to its handler: feature checks, and the answer to whatever a handler throws. */
import type { Log } from "../platform/log.ts";
import { CodedError } from "../protocol/errors.ts";
import { MESSAGES, type Message, type MessageEntry } from "../protocol/registry.ts";
import { handleAck } from "./handlers/ack.ts";
import { handleCancel } from "./handlers/cancel.ts";
import { handleClose } from "./handlers/close.ts";
import type { Handler, HandlerContext } from "./handlers/handler.ts";
import { handleListJobs } from "./handlers/list-jobs.ts";
import { handlePing, handlePong } from "./handlers/liveness.ts";
import { handleDeny, handleGrant, handleListPermissions, handleRefresh, handleRevoke } from "./handlers/permissions.ts";
import { handleSubmit } from "./handlers/submit.ts";
import { handleSubscribe, handleUnsubscribe } from "./handlers/subscribe.ts";

type Routed = Exclude<Message<"to-runtime">["type"], "session.hello" | "session.resume">;

const HANDLERS: { readonly [Type in Routed]: Handler<Type> } = {
  "session.ping": handlePing,
  "session.pong": handlePong,
  "session.ack": handleAck,
  "session.close": handleClose,
  "session.list_jobs": handleListJobs,
  "job.submit": handleSubmit,
  "job.cancel": handleCancel,
  "job.subscribe": handleSubscribe,
  "job.unsubscribe": handleUnsubscribe,
  "session.list_permissions": handleListPermissions,
  "permission.grant": handleGrant,
  "permission.deny": handleDeny,
  "lease.refresh": handleRefresh,
  "lease.revoke": handleRevoke,
};

/** Handles one message of an open session. Never throws: every failure is answered on the message's own channel. */
export async function route(context: HandlerContext, message: Message<"to-runtime">, log: Log): Promise<void> {
  context.session.underWay++;
  try {
    if (message.type === "session.hello" || message.type === "session.resume") {
      throw new CodedError("INVALID_REQUEST", `${message.type} must be the first message of a connection`);
    }
    if (message.session_id !== undefined && message.session_id !== context.session.id) {
      throw new CodedError("INVALID_REQUEST", "session_id is not this connection's session", {
        details: { field: "session_id" },
      });
    }
    assertNegotiated(context, message.type);
    // Each row's handler takes just its own message; the union of both sides is beyond what TypeScript relates.
    await (HANDLERS[message.type] as Handler<Routed>)(context, message);
  } catch (error) {
    if (error instanceof CodedError) {
      // An answer to a submission has its place among the others, also when no handler was reached.
      if (message.type === "job.submit") context.channel.reserveReply().refuse(error.toBody(), message.id);
      else context.channel.refuse(error, message.id);
      return;
    }
    log.error({ err: error, type: message.type }, "a message handler failed");
    if (message.type === "job.submit") return; // answered in its place among the submissions
    context.channel.refuse(new CodedError("INTERNAL_ERROR", `${message.type} failed`), message.id);
  } finally {
    context.session.underWay--;
  }
}

function assertNegotiated({ session }: HandlerContext, type: Routed): void {
  const { feature }: MessageEntry = MESSAGES[type];
  if (feature === undefined || session.features.has(feature)) return;
  // Liveness costs nothing to answer, and a client that pings without negotiating means well.
  if (feature === "heartbeat") return;
  throw new CodedError(
    "INVALID_REQUEST",
    `${type} needs the feature ${feature}, which this session did not negotiate`,
    {
      details: { feature },
    },
  );
}
