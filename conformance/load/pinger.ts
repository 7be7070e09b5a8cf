/**
 * A thread with one session of its own, which pings from its start until it is told to stop, and then tells how long each
 * ping took. On a thread of its own: what it measures must not wait for those who follow the flood.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { Judge } from "../simulation/laws.ts";
import { LoadSession } from "./load-session.ts";

const PAUSE_MS = 5;

let stopped = false;
parentPort?.once("message", () => {
  stopped = true;
});
const { url, token } = workerData as { url: string; token: string };
const session = await LoadSession.open({ url, token, judge: new Judge(), name: "who pings" });
const milliseconds: number[] = [];
while (!stopped) {
  milliseconds.push(await session.ping());
  await sleep(PAUSE_MS);
}
session.leave();
parentPort?.postMessage(milliseconds);
