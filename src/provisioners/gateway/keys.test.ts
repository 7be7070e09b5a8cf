import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { createKeys, type GatewayKey, type Reservation } from "./keys.ts";
import type { Ledger } from "./ledger.ts";

const REQUEST = { alias: "job_1", models: ["small"], cap: 10n, expiresAt: null, metadata: {}, text: "" };

/** A ledger whose disk a test decides about. */
function createTestLedger() {
  const failing = { reserve: false, settle: false };
  const write = async (fails = false): Promise<void> => {
    if (fails) throw new Error("the disk is full");
  };
  const ledger: Ledger = {
    opened: [],
    writeKey: () => write(),
    removeKey: () => write(),
    reserve: () => write(failing.reserve),
    settle: () => write(failing.settle),
    close: () => {},
  };
  return { ledger, failing };
}

async function start() {
  const { ledger, failing } = createTestLedger();
  const keys = createKeys(ledger, createFakeWorld(), "USD");
  const { key } = await keys.create(REQUEST);
  return { keys, key, failing };
}

const money = ({ spent, held }: GatewayKey): readonly bigint[] => [spent, held];

describe("money set aside", () => {
  it("is spent as far as it was used, once", async () => {
    const { keys, key } = await start();
    const reservation = await keys.reserve(key, 4n);
    expect(money(key)).toEqual([0n, 4n]);
    await reservation.settle(3n);
    await reservation.settle(4n);
    expect(money(key)).toEqual([3n, 0n]);
  });

  it("is promised once, from the turn on in which it is asked for", async () => {
    const { keys, key } = await start();
    const first = keys.reserve(key, 6n);
    await expect(keys.reserve(key, 6n)).rejects.toMatchObject({ status: 429, code: "budget_held" });
    await expect(keys.reserve(key, 11n)).rejects.toMatchObject({ status: 402, code: "insufficient_quota" });
    await (await first).settle(0n);
    await (await keys.reserve(key, 10n)).settle(10n);
    // Not for nothing, either.
    await expect(keys.reserve(key, 0n)).rejects.toMatchObject({ status: 402 });
  });

  it("is free again when the disk does not take it, and spent when it does not take what was spent", async () => {
    const { keys, key, failing } = await start();
    failing.reserve = true;
    await expect(keys.reserve(key, 4n)).rejects.toThrow("full");
    expect(money(key)).toEqual([0n, 0n]);
    failing.reserve = false;
    failing.settle = true;
    const reservation = await keys.reserve(key, 4n);
    await expect(reservation.settle(3n)).rejects.toThrow("full");
    expect(money(key)).toEqual([3n, 0n]);
  });

  it("never exceeds the cap together with what is spent, and adds up, whatever is called and in which order", async () => {
    const step = fc.record({ amount: fc.bigInt(0n, 6n), used: fc.bigInt(0n, 6n), settles: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(step), async (steps) => {
        const { keys, key } = await start();
        const open: { reservation: Reservation; used: bigint }[] = [];
        let spent = 0n;
        for (const { amount, used, settles } of steps) {
          const reservation = await keys.reserve(key, amount).catch(() => undefined);
          if (reservation !== undefined) open.push({ reservation, used: used > amount ? amount : used });
          const settled = open[settles];
          if (settled !== undefined) {
            open.splice(settles, 1);
            await settled.reservation.settle(settled.used);
            spent += settled.used;
          }
          const held = open.reduce((sum, one) => sum + one.reservation.amount, 0n);
          expect(money(key)).toEqual([spent, held]);
          expect(spent + held).toBeLessThanOrEqual(REQUEST.cap);
        }
      }),
    );
  });

  it("is not promised to a key that was revoked", async () => {
    const { keys, key } = await start();
    await keys.revoke("job_1");
    await expect(keys.reserve(key, 1n)).rejects.toMatchObject({ status: 401 });
  });
});
