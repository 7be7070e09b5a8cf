/** `leasehold/testing`: a world under a test's control, a store with faults, connections without sockets. */
export { createMemoryStore, type MemorySnapshot, type MemoryStore } from "../stores/memory/memory-store.ts";
export {
  createMemoryConnectionPair,
  type MemoryClient,
  type MemoryClientHandlers,
  type MemoryConnectionOptions,
} from "../transports/memory.ts";
export { createMemorySocket } from "../transports/memory-socket.ts";
export { createFakeWorld, type FakeWorld } from "./fake-world.ts";
export { type CrashableStore, createFaultyStore, type FaultyStore } from "./faulty-store.ts";
