/** What comes after an answer that redirects, as `fetch` has it (RFC 9110 §15.4 and the Fetch standard). Pure. */
import { CodedError } from "../protocol/errors.ts";

/** One request of a chain. */
export interface Hop {
  readonly url: string;
  readonly method: string;
  /** As the agent gave them. */
  readonly headers: Headers;
  readonly body: BodyInit | null;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Meant for one origin, and told to no other. */
const OF_THE_ORIGIN = ["authorization", "proxy-authorization", "cookie", "host"];
/** Tell of a body that is not sent any more. */
const OF_THE_BODY = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
  "transfer-encoding",
];

const BEYOND_ASCII = /[\x80-\xff]/;

/** Where an answer redirects to, in the form it was given; undefined when it does not. */
export function locationOf({ status, headers }: Response): string | undefined {
  const location = REDIRECTS.has(status) ? headers.get("location") : null;
  if (location === null) return undefined;
  // Headers are told byte by byte, and these bytes are mostly UTF-8.
  return BEYOND_ASCII.test(location) ? Buffer.from(location, "latin1").toString("utf8") : location;
}

/**
 * @throws TypeError for a location that is no URL; CodedError INVALID_REQUEST for a body that would have to be sent again and
 * was a stream.
 */
export function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = URL.parse(location, hop.url);
  if (url === null) throw new TypeError(`fetch failed: the answer ${status} redirects to what is no URL`);
  const headers = new Headers(hop.headers);
  if (url.origin !== new URL(hop.url).origin) for (const name of OF_THE_ORIGIN) headers.delete(name);
  if (!becomesGet(status, hop.method)) {
    if (hop.body !== null && !canBeSentAgain(hop.body)) throw sentOnce(status);
    return { ...hop, url: url.href, headers };
  }
  for (const name of OF_THE_BODY) headers.delete(name);
  return { url: url.href, method: "GET", headers, body: null };
}

function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return (status === 301 || status === 302) && method === "POST";
}

function canBeSentAgain(body: BodyInit): boolean {
  return !(body instanceof ReadableStream) && !(typeof body === "object" && Symbol.asyncIterator in body);
}

function sentOnce(status: number): CodedError {
  return new CodedError(
    "INVALID_REQUEST",
    `the answer ${status} asks for the body again, and it was a stream: pass init.body as text, bytes, a Blob or a form`,
    { details: { field: "fetch.init.body", status } },
  );
}
