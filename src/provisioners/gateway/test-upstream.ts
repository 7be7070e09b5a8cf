/** A service that speaks the OpenAI API, on this machine, and says what a test wants it to. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
  /** Resolves when the one who asked has gone. */
  readonly gone: Promise<void>;
}

export type Answer = (asked: Asked, response: ServerResponse) => void | Promise<void>;

export interface TestUpstream extends AsyncDisposable {
  /** Ends with `/v1`. */
  readonly url: string;
  readonly asked: Asked[];
  /** What is answered from now on. Default: `usual`. */
  answer: Answer;
}

/** 20 tokens in, 5 of them cached; 10 out, 4 of them reasoning. */
export const CHAT_USAGE = {
  prompt_tokens: 20,
  completion_tokens: 10,
  total_tokens: 30,
  prompt_tokens_details: { cached_tokens: 5 },
  completion_tokens_details: { reasoning_tokens: 4 },
};
export const RESPONSE_USAGE = {
  input_tokens: 20,
  output_tokens: 10,
  input_tokens_details: { cached_tokens: 5 },
  output_tokens_details: { reasoning_tokens: 4 },
};

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "set-cookie": "a=b",
    "openai-organization": "acme",
  });
  response.end(JSON.stringify(body));
}

export function chatChunk(fields: object): string {
  return `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "small", ...fields })}\n\n`;
}

export const chatDelta = (content: string): string =>
  chatChunk({ choices: [{ index: 0, delta: { role: "assistant", content }, finish_reason: null }], usage: null });

export const chatEnd = (): string =>
  chatChunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: null });

export const DONE = "data: [DONE]\n\n";

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
}

/** What a well-behaved service does. */
export const usual: Answer = ({ path, body }, response) => {
  if (path === "/v1/models") {
    const data = ["small", "large", "unpriced"].map((id) => ({ id, object: "model" }));
    return sendJson(response, 200, { object: "list", data });
  }
  if (path === "/v1/embeddings") {
    const data = [{ object: "embedding", index: 0, embedding: [0.1, 0.2] }];
    return sendJson(response, 200, {
      object: "list",
      data,
      model: body.model,
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
  }
  if (path === "/v1/responses") return answerResponse(body, response);
  if (body.stream !== true) {
    const choices = [{ index: 0, message: { role: "assistant", content: "a coat" }, finish_reason: "stop" }];
    const answer = { id: "c1", object: "chat.completion", created: 1, model: body.model, choices, usage: CHAT_USAGE };
    return sendJson(response, 200, answer);
  }
  beginStream(response);
  for (const word of ["a ", "co", "at"]) response.write(chatDelta(word));
  response.write(chatEnd());
  const options = body.stream_options as { include_usage?: boolean } | undefined;
  if (options?.include_usage) response.write(chatChunk({ choices: [], usage: CHAT_USAGE }));
  response.end(DONE);
};

function answerResponse(body: Record<string, unknown>, response: ServerResponse): void {
  const content = [{ type: "output_text", text: "a coat", annotations: [] }];
  const output = [{ type: "message", id: "m1", role: "assistant", status: "completed", content }];
  const whole = { id: "r1", object: "response", created_at: 1, model: body.model, output, usage: RESPONSE_USAGE };
  if (body.stream !== true) return sendJson(response, 200, { ...whole, status: "completed" });
  beginStream(response);
  const event = (type: string, fields: object): void =>
    void response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  event("response.created", { response: { id: "r1", usage: null } });
  event("response.output_text.delta", { delta: "a coat" });
  event("response.completed", { response: { ...whole, status: "completed" } });
  response.end();
}

export async function startTestUpstream(): Promise<TestUpstream> {
  const asked: Asked[] = [];
  const upstream = { answer: usual };
  const server = createServer((request, response) => void take(request, response));

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new Promise<void>((resolve) => void response.once("close", resolve));
    const text = (await buffer(request)).toString();
    const one = {
      path: request.url ?? "",
      headers: request.headers,
      text,
      body: text === "" ? {} : JSON.parse(text),
      gone,
    };
    asked.push(one);
    await upstream.answer(one, response);
  }

  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    get answer() {
      return upstream.answer;
    },
    set answer(answer) {
      upstream.answer = answer;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
