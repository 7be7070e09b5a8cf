import { describeArtifacts } from "./artifacts-contract.ts";
import { createMemoryArtifacts } from "./memory-artifacts.ts";

describeArtifacts("memory", async () => createMemoryArtifacts());
