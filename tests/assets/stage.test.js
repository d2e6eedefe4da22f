// The modules fit together: each name that is imported is there.

import assert from "node:assert/strict";
import { test } from "node:test";

test("the stage is a component, and can be mounted by an exported page", async () => {
  const stage = await import("../../assets/stage/index.js");
  assert.deepEqual(Object.keys(stage).sort(), ["default", "mountStage"]);
});
