import { expect, it } from "vitest";
import * as wholePackage from "../../index.ts";
import * as agentPackage from "./agent-package.ts";

it("has every name of the package: an agent's module may import what it does not use", () => {
  expect(Object.keys(agentPackage).toSorted()).toEqual(Object.keys(wholePackage).toSorted());
});
