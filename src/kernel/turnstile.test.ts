import { expect, it } from "vitest";
import { Turnstile } from "./turnstile.ts";

it("lets in as many as there is room for, in order, and survives failures", async () => {
  const turnstile = new Turnstile(2);
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  let inside = 0;
  const outcomes = gates.map((gate, index) =>
    turnstile.run(async () => {
      begun.push(index);
      expect(++inside).toBeLessThanOrEqual(2);
      try {
        await gate.promise;
      } finally {
        inside--;
      }
      return index;
    }),
  );
  const settled = Promise.allSettled(outcomes);
  expect(begun).toEqual([0, 1]);
  gates[1]?.reject(new Error("broke"));
  await expect(outcomes[1]).rejects.toThrow("broke");
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  expect((await settled).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await turnstile.run(async () => "again")).toBe("again");
});
