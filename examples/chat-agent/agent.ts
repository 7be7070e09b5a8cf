/**
 * `chat`: answers a question with a language model of the AI SDK, streamed, and lets the model look things up. The lease
 * says which models it may call, which tools those may use, and what all of it may cost.
 *
 *     PORT=8080 node server.ts
 *     CHAT_URL=http://127.0.0.1:8080/v1 leasehold dev agent.ts --prices prices.json
 *     leasehold submit chat '{"question":"What are orchids?"}' \
 *       --lease 'model.use=local/small' --lease 'tool.call=look_up' --budget USD:0.50
 */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText, tool } from "ai";
import { AgentError, defineAgent } from "leasehold";
import { z } from "zod";

/** Any service with an OpenAI-compatible API. */
const service = createOpenAICompatible({
  name: "local",
  baseURL: process.env.CHAT_URL ?? "http://127.0.0.1:8080/v1",
  // Without it, streams do not tell what they used, and would be charged for every byte.
  includeUsage: true,
});

const ENTRIES: Readonly<Record<string, string>> = {
  orchids: "plants of the family Orchidaceae",
  leases: "written bounds on what somebody may do",
};

/** Steps of one answer at most: the model is called once in each. */
const MAX_STEPS = 5;

export const chat = defineAgent({
  name: "chat",
  version: "1.0.0",
  input: z.object({ question: z.string().min(1), model: z.string().default("small") }),
  needs: {
    "model.use": { why: "the model that answers", patterns: ({ model }) => [`local/${model}`] },
    "tool.call": { why: "what the model may look things up with", patterns: ["look_up"] },
  },
  async run(ctx, { question, model }) {
    const answer = streamText({
      model: ctx.model(service(model)),
      tools: ctx.tools({
        look_up: tool({
          description: "Looks a word up.",
          inputSchema: z.object({ word: z.string() }),
          execute: ({ word }) => ENTRIES[word] ?? "nothing is known of it",
        }),
      }),
      stopWhen: ({ steps }) => steps.length >= MAX_STEPS,
      prompt: question,
      abortSignal: ctx.signal,
      // The stream tells of errors as well.
      onError: () => {},
    });
    const result = ctx.streamResult();
    for await (const part of answer.fullStream) {
      if (part.type === "text-delta") await result.write(part.text);
      if (part.type === "error") throw part.error;
      if (part.type === "abort") throw new AgentError({ code: "CANCELLED", message: "the answer was cut short" });
    }
    return result.end();
  },
});
