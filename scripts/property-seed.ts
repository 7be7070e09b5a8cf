/**
 * Property tests draw from one seed, so that a run of the tests can be repeated and CI tells the same tale twice. Set
 * `PROPERTY_SEED` to another number to look elsewhere; a failure prints the seed it was found with.
 */
import * as fc from "fast-check";

const DEFAULT_SEED = 20_261_120;

fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? DEFAULT_SEED) });
