import { expect, it } from "vitest";
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import { PendingRequests, type Request, type RequestType } from "./requests.ts";

const seen: string[] = [];

function request<Type extends RequestType>(id: string, type: Type, payload: PayloadOf<Type>): Request<Type> {
  return {
    message: { arcp: "1.1", id, type, payload } as unknown as MessageOf<Type>,
    sent: true,
    aborted: false,
    lapses: false,
    once: false,
    anew: false,
    answered: () => seen.push(`${id} answered`),
    refused: (error) => seen.push(`${id} refused: ${(error as Error & { code?: string }).code}`),
  };
}

const submit = (id: string) => request(id, "job.submit", { agent: "echo" });
const cancel = (id: string, jobId: string) => request(id, "job.cancel", { job_id: jobId });

function pending(...requests: Parameters<PendingRequests["add"]>[0][]): PendingRequests {
  seen.length = 0;
  const all = new PendingRequests();
  for (const each of requests) all.add(each);
  return all;
}

const refusal = { code: "INTERNAL_ERROR", message: "no", retryable: true };

it("gives an answer to the request it names, in any order", () => {
  const requests = pending(submit("a"), submit("b"));
  requests.answer("job.accepted", { job_id: "job_b", lease: {}, request_id: "b" });
  requests.answer("job.accepted", { job_id: "job_a", lease: {}, request_id: "a" });
  expect(seen).toEqual(["b answered", "a answered"]);
});

it("gives an answer without a name to the oldest request of its type, and of its job", () => {
  const requests = pending(cancel("a", "job_1"), submit("b"), cancel("c", "job_2"), submit("d"));
  requests.answer("job.accepted", { job_id: "job_3", lease: {} });
  requests.answer("job.cancelled", { job_id: "job_2" });
  requests.answer("job.accepted", { job_id: "job_4", lease: {} });
  expect(seen).toEqual(["b answered", "c answered", "d answered"]);
});

it("passes over answers that are nobody's, or of another type than what they name", () => {
  const requests = pending(submit("a"));
  requests.answer("job.cancelled", { job_id: "job_1", request_id: "a" });
  requests.answer("job.accepted", { job_id: "job_1", lease: {}, request_id: "z" });
  requests.refuse({ ...refusal, request_id: "z" });
  expect(seen).toEqual([]);
  expect(requests.size).toBe(1);
});

it("gives a refusal to the request it names, or else to the only one", () => {
  const requests = pending(submit("a"), submit("b"));
  requests.refuse(refusal);
  expect(seen).toEqual([]);
  requests.refuse({ ...refusal, request_id: "b" });
  requests.refuse(refusal);
  expect(seen).toEqual(["b refused: INTERNAL_ERROR", "a refused: INTERNAL_ERROR"]);
});

it("knows whether an answer may name a job for the first time", () => {
  const requests = pending(cancel("a", "job_1"));
  expect(requests.awaitsJob).toBe(false);
  const submission = submit("b");
  requests.add(submission);
  expect(requests.awaitsJob).toBe(true);
  requests.remove(submission);
  requests.remove(submission);
  expect(requests.awaitsJob).toBe(false);
  requests.add(submit("c"));
  expect(requests.removeAll()).toHaveLength(2);
  expect(requests.awaitsJob).toBe(false);
});
