export const LAYERS: readonly string[];
export const FACES: readonly string[];
export const TEST_ONLY: RegExp;
