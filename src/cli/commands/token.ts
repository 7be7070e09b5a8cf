/** `leasehold token create | list | revoke`: the token file of a data directory, also of one that is being served. */
import { join, resolve } from "node:path";
import { createTokens, TOKEN_FILE, type TokenListing, type Tokens } from "../../identity/token-file.ts";
import { CliError } from "../cli-error.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { parseInstant } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine } from "../render/sanitize.ts";
import { tableLines } from "../render/table.ts";

interface TokenOptions {
  readonly data: string;
  readonly json?: boolean;
}

interface CreateOptions extends TokenOptions {
  readonly principal?: string;
  readonly tenant?: string;
  readonly operator?: boolean;
  readonly expires?: string;
}

function openTokens({ data }: TokenOptions, io: CliIo): Tokens {
  return createTokens(join(resolve(io.cwd, data), TOKEN_FILE), io.world);
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function jsonFields({ createdAt, expiresAt, ...fields }: TokenListing): object {
  return { ...fields, created_at: isoTime(createdAt), expires_at: isoTime(expiresAt) };
}

export async function createToken(name: string, options: CreateOptions, io: CliIo): Promise<ExitCode> {
  const expiresAt =
    options.expires === undefined ? undefined : parseInstant(options.expires, "--expires", io.world.clock.now());
  const { id, token } = await openTokens(options, io).create({
    name,
    roles: options.operator ? ["user", "operator"] : ["user"],
    ...(options.principal === undefined ? {} : { principal: options.principal }),
    ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  if (options.json) {
    io.stdout.write(jsonLine({ id, name, token }));
    return EXIT.ok;
  }
  // The token alone on stdout, so that a script can take it as it is.
  io.stdout.write(`${token}\n`);
  io.stderr.write(`made token ${name} (${id}); it is shown this once\n`);
  return EXIT.ok;
}

export async function listTokens(options: TokenOptions, io: CliIo): Promise<ExitCode> {
  const tokens = await openTokens(options, io).list();
  if (options.json) {
    for (const token of tokens) io.stdout.write(jsonLine(jsonFields(token)));
    return EXIT.ok;
  }
  if (tokens.length === 0) {
    io.stderr.write("no tokens yet: `leasehold token create <name>` makes one\n");
    return EXIT.ok;
  }
  const rows = tokens.map(({ id, name, principal, roles, createdAt, expiresAt }) => [
    id,
    name,
    principal,
    roles.join(","),
    isoTime(createdAt) ?? "",
    isoTime(expiresAt) ?? "never",
  ]);
  const header = ["ID", "NAME", "PRINCIPAL", "ROLES", "CREATED", "EXPIRES"];
  const style = { colors: colorsFor(io.stdout), width: io.stdout.width() };
  for (const line of tableLines(header, rows, style)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}

export async function revokeToken(idOrName: string, options: TokenOptions, io: CliIo): Promise<ExitCode> {
  const revoked = await openTokens(options, io).revoke(idOrName);
  if (revoked === undefined) {
    throw new CliError("TOKEN_NOT_FOUND", `there is no token ${idOrName}`, {
      remedy: "`leasehold token list` shows those there are",
      exitCode: EXIT.notFound,
    });
  }
  io.stdout.write(options.json ? jsonLine({ revoked: revoked.id }) : `revoked ${revoked.name} (${revoked.id})\n`);
  return EXIT.ok;
}
