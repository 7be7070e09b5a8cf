/** Returns the memory of the process it runs in, for the memory measurements. */
import { defineAgent } from "leasehold";
import { collectedMemory } from "./memory-use.ts";

export const memory = defineAgent({
  name: "memory",
  version: "1.0.0",
  run: () => collectedMemory(),
});
