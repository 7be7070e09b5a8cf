/** Names of things the kernel keeps; see `platform/ulid.ts` for their form. */
export type JobId = string;
export type SessionId = string;
export type NodeId = string;
export type ArtifactId = string;
export type PermissionId = string;
