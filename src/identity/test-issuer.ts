/** For tests: an issuer of JWTs on loopback, with its discovery document and keys, which can turn slow, or fail. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { World } from "../platform/world.ts";

export interface TestIssuer {
  readonly url: string;
  readonly jwksUrl: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** What it answers with: its documents, an error, or nothing at all. */
  mode: "good" | "error" | "silent" | "endless" | "elsewhere";
  /** The `issuer` of the discovery document. */
  claimedIssuer: string;
  /** Keys it publishes. */
  keys: JWK[];
  /** Resolves when it is asked for something the next time. */
  nextRequest(): Promise<unknown>;
  /** Publishes a new key; returns what signs with it. */
  addKey(kid?: string, algorithm?: string): Promise<Signer>;
  close(): Promise<void>;
}

/** Signs what is a good token of `sub: alice` but for `claims` and `header`. */
export type Signer = (claims?: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>;

export const TEST_AUDIENCE = "leasehold";

export async function startTestIssuer(world: World): Promise<TestIssuer> {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    issuer.asked.push(path);
    if (issuer.mode === "silent") {
      held.push(response);
      return;
    }
    if (issuer.mode === "elsewhere" && !path.startsWith("/moved")) {
      response.writeHead(302, { location: `/moved${path}` }).end();
      return;
    }
    if (issuer.mode === "endless") {
      response.writeHead(200, { "content-type": "application/json" });
      const more = (): void => {
        while (!response.destroyed && response.write(" ".repeat(65_536)));
      };
      response.on("drain", more);
      more();
      return;
    }
    const body = path === "/jwks" ? { keys: issuer.keys } : { issuer: issuer.claimedIssuer, jwks_uri: issuer.jwksUrl };
    response.writeHead(issuer.mode === "error" ? 500 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const issuer: TestIssuer = {
    url,
    jwksUrl: `${url}/jwks`,
    asked: [],
    mode: "good",
    claimedIssuer: url,
    keys: [],
    nextRequest: () => once(server, "request"),
    async addKey(kid = "one", algorithm = "ES256") {
      const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
      issuer.keys.push({ ...(await exportJWK(publicKey)), ...(kid === "" ? {} : { kid }) });
      return (claims = {}, header = {}) => {
        const now = Math.floor(world.clock.now() / 1000);
        const payload = { iss: url, aud: TEST_AUDIENCE, sub: "alice", iat: now, exp: now + 600, ...claims };
        const named = kid === "" ? {} : { kid };
        return new SignJWT(payload).setProtectedHeader({ alg: algorithm, ...named, ...header }).sign(privateKey);
      };
    },
    async close() {
      for (const response of held) response.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return issuer;
}
