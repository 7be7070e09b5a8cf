/** How long things are kept in a run. */

export const RESUME_WINDOW_SEC = 60;
export const HEARTBEAT_INTERVAL_SEC = 10;
/** So short that jobs of a run grow old in it. */
export const MAX_AGE_SEC = 120;
