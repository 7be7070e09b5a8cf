/** Commands and their options. What a command does is in `commands/`, loaded only when it is the one that runs. */
import { Command } from "commander";
import { usageError } from "./cli-error.ts";
import { EXIT_CODE_LINES, type ExitCode } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

const AFTER_HELP = `
Commands that talk to a runtime find it by --url and --token, then LEASEHOLD_URL and
LEASEHOLD_TOKEN, then .leasehold/dev.json, which \`leasehold dev\` writes.

Exit codes:
${EXIT_CODE_LINES.map((line) => `  ${line}`).join("\n")}
`;

const INPUT_HELP = "JSON, @file with JSON, or - for standard input";

function example(line: string): string {
  return `\nExample:\n  ${line}`;
}

function withJson(command: Command): Command {
  return command.option("--json", "print one JSON object per line, and nothing else, on stdout");
}

function withConnection(command: Command): Command {
  return withJson(command)
    .option("--url <url>", "URL of the runtime, such as ws://127.0.0.1:7777/arcp")
    .option("--token <token>", "token to authenticate with (LEASEHOLD_TOKEN keeps it out of the process list)");
}

function withServer(command: Command): Command {
  return withJson(command)
    .argument("[files...]", "files that export agents (default: agents.ts or agents.js)")
    .option("--port <port>", "port to listen on; 0 takes any free one", "7777")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("--data <dir>", "directory that everything is kept in", ".leasehold")
    .option("--conformance-agents", "offer the agents that `leasehold conformance` needs, too")
    .option("--tls-cert <file>", "certificate (PEM) to serve wss: and https: with")
    .option("--tls-key <file>", "private key (PEM) of the certificate")
    .option(
      "--trusted-proxy <address>",
      "reverse proxy whose word on clients counts, or a network; repeatable",
      collect,
    )
    .option("--forwarded-header <name>", "header it sets: x-forwarded-for (default) or forwarded")
    .option("--allowed-host <name>", "host name this runtime is called by, beside loopback; repeatable", collect)
    .option("--allowed-origin <origin>", "origin whose pages may connect; repeatable", collect)
    .option("--log-format <format>", "how the log on stderr is written: text, or json (which --json makes it)")
    .option("--log-level <level>", "least level that is logged: debug, info, warn or error")
    .option("--max-connections <count>", "WebSockets held at once (default: 10000)")
    .option(
      "--set <name=number>",
      "a bound by its name in createRuntime, such as limits.maxRunningJobs=50; repeatable",
      collect,
    )
    .option("--prices <file>", "JSON file that says what models cost, for agents with a budget")
    .option("--any-model", "let a lease that does not name model.use allow every model")
    .option("--policy <file>", "JSON file that says what may be granted, and to whom (see `leasehold policy test`)")
    .option("--observe <file>", "JSON file that says who may see whose jobs, beside their own")
    .option("--anonymous", "let whoever brings no token in, from this machine only")
    .option("--jwt-issuer <url>", "accept JWTs of this issuer, too; its keys are discovered (LEASEHOLD_JWT_ISSUER)")
    .option("--jwt-audience <name>", "what their aud must name; repeatable (LEASEHOLD_JWT_AUDIENCE)", collect)
    .option("--jwt-jwks-url <url>", "where its keys are, without discovery (LEASEHOLD_JWT_JWKS_URL)")
    .option("--jwt-key <file>", "its public key, as PEM or JWK, in place of any URL (LEASEHOLD_JWT_KEY)")
    .option(
      "--jwt-algorithm <name>",
      "accept only these, such as ES256; repeatable (LEASEHOLD_JWT_ALGORITHMS)",
      collect,
    )
    .option("--jwt-clock-tolerance <time>", "how far its clock may be off (default: 30s)")
    .option("--jwt-principal-claim <name>", "claim that says who it is (default: sub)")
    .option("--jwt-tenant-claim <name>", "claim that says of which tenant (default: all are of default)")
    .option("--jwt-roles-claim <name>", "claim with roles (default: nobody is an operator)")
    .option("--jwt-operator-role <name>", "role in that claim that makes an operator (default: operator)");
}

function withOutcome(command: Command): Command {
  return command
    .option("--no-tree", "show the job alone, without the jobs that it delegates")
    .option("--result-only", "print the result and nothing else")
    .option("-o, --output <file>", "write the result to a file instead");
}

/** @param finish takes the exit code of the command that ran. */
export function createProgram(io: CliIo, finish: (code: ExitCode) => void): Command {
  const program = new Command("leasehold")
    .description("Runs long-lived AI agent jobs under a lease.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => {}, // `runCli` reports errors, in one form for all.
      getOutHelpWidth: () => io.stdout.width() ?? 100,
      getErrHelpWidth: () => io.stderr.width() ?? 100,
    })
    .addHelpText("after", AFTER_HELP);
  const add = (name: string, description: string): Command => program.command(name).description(description);

  withJson(add("init", "make a small project that works at once"))
    .argument("[dir]", "directory to make it in", ".")
    .option("--force", "also where files are; those of the same name stay as they are")
    .addHelpText("after", example("leasehold init my-agents"))
    .action(async (dir, options) => finish(await (await import("./commands/init.ts")).init(dir, options, io)));

  withServer(
    add("dev", "serve agents for development, loading them anew as they change, with a token made for this run"),
  )
    .option("--run <agent>", "submit that agent at once and follow its job")
    .option("--input <json>", `input for --run: ${INPUT_HELP}`)
    .option("--lease <namespace=pattern>", "authority to grant to --run, as for `submit`; repeatable", collect)
    .option("--budget <currency:amount>", "what --run may spend, as for `submit`; repeatable", collect)
    .option("--no-tree", "show the job of --run alone, without the jobs that it delegates")
    .option("--exit", "end after the job of --run, with its exit code")
    .option("--no-reload", "leave agents as they are when their files change")
    .addHelpText("after", example("leasehold dev --run word-count --input @input.json --lease tool.call=look"))
    .action(async (files, options) => finish(await (await import("./commands/dev.ts")).dev(files, options, io)));

  withServer(add("serve", "serve agents to everyone who has a token (see `leasehold token`)"))
    .option("--drain <time>", "how long jobs under way may take to end when it is stopped", "10s")
    .option("--stdio", "serve the process that started this one over stdin and stdout, and nobody else")
    .addHelpText("after", example("leasehold serve agents.ts --port 8080"))
    .action(async (files, options, command: Command) => {
      const source = (name: string) => command.getOptionValueSource(name);
      const listening = ["port", "host"].find((name) => source(name) === "cli");
      if (options.stdio && listening !== undefined) {
        throw usageError(`--stdio listens nowhere, so it does not go with --${listening}`, "leave one of them out");
      }
      const ownData = source("data") === "default";
      finish(await (await import("./commands/serve.ts")).serve(files, { ...options, ownData }, io));
    });

  withOutcome(withConnection(add("submit", "submit a job and follow it; Ctrl-C stops following, the job goes on")))
    .argument("<agent>", "name, or name@version")
    .argument("[input]", INPUT_HELP)
    .option("--input <json>", "the input, as an option")
    .option("--detach", "print the job's id and do not follow it")
    .option("--lease <namespace=pattern>", "authority to grant, such as fs.read=/workspace/**; repeatable", collect)
    .option("--lease-json <json>", `the lease as a whole: ${INPUT_HELP}`)
    .option("--lease-from-needs", "grant what the agent says it needs beyond that, after asking")
    .option("--yes", "grant it without asking")
    .option("--budget <currency:amount>", "what the job may spend, such as USD:5.00; repeatable", collect)
    .option("--expires <time>", "when the lease ends: a time such as 2026-05-13T23:42:00Z, or a length such as 2h")
    .option("--max-runtime <time>", "when the job is ended: seconds, or a length such as 30m")
    .option("--key <key>", "idempotency key: the same key never starts a second job")
    .addHelpText("after", example("leasehold submit word-count @input.json --lease tool.call=look --expires 2h"))
    .action(async (agent, input, options) =>
      finish(await (await import("./commands/submit.ts")).submit(agent, input, options, io)),
    );

  withOutcome(withConnection(add("watch", "show a job from its beginning, then live; Ctrl-C stops watching")))
    .argument("<job>", "id of the job")
    .option("--from <position>", "begin at that position of the job's log, and not at its first entry")
    .option("--no-history", "show only what comes from now on")
    .addHelpText("after", example("leasehold watch job_01J… --from 100"))
    .action(async (job, options) => finish(await (await import("./commands/watch.ts")).watch(job, options, io)));

  withConnection(add("show", "show all there is to say of one job: bounds, progress, times, tree, how it ended"))
    .argument("<job>", "id of the job")
    .addHelpText("after", example("leasehold show job_01J…"))
    .action(async (job, options) => finish(await (await import("./commands/show.ts")).show(job, options, io)));

  withConnection(add("artifact", "fetch what a job left behind (`leasehold show` lists it)"))
    .argument("<artifact>", "id of the artifact")
    .option("-o, --output <file>", "write it to a file; needed on a terminal")
    .addHelpText("after", example("leasehold artifact art_01J… --output report.md"))
    .action(async (id, options) =>
      finish(await (await import("./commands/artifact.ts")).fetchArtifact(id, options, io)),
    );

  withConnection(add("jobs", "list the jobs you may see, newest first"))
    .option("--status <status>", "only jobs of that status, such as running or error; repeatable", collect)
    .option("--agent <agent>", "only jobs of that agent: name, or name@version")
    .option("--since <time>", "only jobs created since then: a time, a day, or how long ago such as 2h")
    .option("--until <time>", "only jobs created before then")
    .option("--principal <id>", "only jobs of that principal")
    .option("--limit <count>", "at most this many (default: 20)")
    .option("--all", "however many there are")
    .addHelpText("after", example("leasehold jobs --status running --status pending --since 2h"))
    .action(async (options) => finish(await (await import("./commands/jobs.ts")).jobs(options, io)));

  withConnection(add("cancel", "cancel a job"))
    .argument("<job>", "id of the job")
    .option("--reason <text>", "why; goes on the job's log")
    .addHelpText("after", example("leasehold cancel job_01J… --reason 'took too long'"))
    .action(async (job, options) => finish(await (await import("./commands/cancel.ts")).cancel(job, options, io)));

  const permissions = add("permissions", "list and decide what jobs ask people for at run time").addHelpText(
    "after",
    example("leasehold permissions grant perm_01J… --for 10m"),
  );
  const addPermission = (name: string, description: string, ofOne = true): Command => {
    const command = withConnection(permissions.command(name).description(description));
    return ofOne
      ? command.argument("<permission>", "id of the permission (perm_…), or of its grant (lease_…)")
      : command;
  };
  addPermission("list", "list what waits for a decision, newest first", false)
    .option("--state <state>", "instead those of that state, such as granted; repeatable", collect)
    .option("--all", "of every state")
    .option("--job <job>", "only what that job asks for")
    .option("--limit <count>", "at most this many", "50")
    .addHelpText("after", example("leasehold permissions list --state granted"))
    .action(async (options) => finish(await (await import("./commands/permissions.ts")).listPermissions(options, io)));
  addPermission(
    "show",
    "show all there is to say of one: what is asked for, with which arguments, and what became of it",
  )
    .addHelpText("after", example("leasehold permissions show perm_01J…"))
    .action(async (id, options) =>
      finish(await (await import("./commands/permissions.ts")).showPermission(id, options, io)),
    );
  addPermission("grant", "let the job do exactly that, for a while")
    .option("--for <time>", "for how long, such as 10m (default: what it asks for, or else 5m)")
    .option("--reason <text>", "why; kept with the decision")
    .addHelpText("after", example("leasehold permissions grant perm_01J… --for 10m"))
    .action(async (id, options) =>
      finish(await (await import("./commands/permissions.ts")).grantPermission(id, options, io)),
    );
  addPermission("deny", "refuse it")
    .option("--reason <text>", "why; the agent is told")
    .addHelpText("after", example("leasehold permissions deny perm_01J… --reason 'too much'"))
    .action(async (id, options) =>
      finish(await (await import("./commands/permissions.ts")).denyPermission(id, options, io)),
    );
  addPermission("revoke", "take a grant back, in the middle of the job")
    .option("--reason <text>", "why; the agent is told")
    .addHelpText("after", example("leasehold permissions revoke lease_01J…"))
    .action(async (id, options) =>
      finish(await (await import("./commands/permissions.ts")).revokePermission(id, options, io)),
    );
  addPermission("extend", "have a grant last longer")
    .argument("<time>", "how much longer, such as 10m")
    .addHelpText("after", example("leasehold permissions extend lease_01J… 10m"))
    .action(async (id, time, options) =>
      finish(await (await import("./commands/permissions.ts")).extendPermission(id, time, options, io)),
    );

  withConnection(add("audit", "show who asked for what and whether it was allowed, newest first"))
    .argument("[job]", "only what was asked of that job")
    .option("--action <action>", "only that, such as job.subscribe, job.cancel or session.authenticate")
    .option("--principal <id>", "only what that principal asked for")
    .option("--limit <count>", "at most this many", "50")
    .addHelpText("after", example("leasehold audit job_01J… --action job.subscribe"))
    .action(async (job, options) => finish(await (await import("./commands/audit.ts")).audit(job, options, io)));

  const token = add("token", "make, list and revoke the tokens that `leasehold serve` accepts").addHelpText(
    "after",
    example("leasehold token create ada --operator"),
  );
  const addToken = (name: string, description: string): Command =>
    withJson(token.command(name).description(description)).option("--data <dir>", "data directory", ".leasehold");
  addToken("create", "make a token and print it: it is shown this once")
    .argument("<name>", "name of the token, and of whom it stands for, such as ci-bot")
    .option("--principal <id>", "whom it stands for, when several tokens are to be the same principal")
    .option("--tenant <name>", "of which tenant it is: nobody sees what is of another (default: default)")
    .option("--operator", "as an operator, who sees and may stop all jobs of the tenant")
    .option("--expires <time>", "when it ends: a time, or a length such as 30d")
    .addHelpText("after", example("leasehold token create ci-bot --expires 30d"))
    .action(async (name, options) =>
      finish(await (await import("./commands/token.ts")).createToken(name, options, io)),
    );
  addToken("list", "list tokens; the tokens themselves are not kept")
    .addHelpText("after", example("leasehold token list --json"))
    .action(async (options) => finish(await (await import("./commands/token.ts")).listTokens(options, io)));
  addToken("revoke", "revoke a token")
    .argument("<token>", "id or name of the token")
    .addHelpText("after", example("leasehold token revoke ci-bot"))
    .action(async (id, options) => finish(await (await import("./commands/token.ts")).revokeToken(id, options, io)));

  const policy = add("policy", "try out what `leasehold serve --policy` would allow").addHelpText(
    "after",
    example("leasehold policy test --policy p.json --principal acme/ci --agent look@1.0.0"),
  );
  withJson(policy.command("test").description("say what a policy file would make of a submission"))
    .option("--policy <file>", "the policy file")
    .option("--principal <tenant/id>", "who would submit")
    .option("--agent <name@version>", "which agent")
    .option("--roles <roles>", "roles of who would submit: user, operator, or both with a comma", "user")
    .option("--lease <namespace=pattern>", "authority to ask for, as for `submit`; repeatable", collect)
    .option("--lease-json <json>", `the lease as a whole: ${INPUT_HELP}`)
    .option("--budget <currency:amount>", "what the job may spend, as for `submit`; repeatable", collect)
    .option("--expires <time>", "when the lease ends, as for `submit`")
    .option("--max-runtime <time>", "when the job is ended, as for `submit`")
    .option("--permission <namespace=target>", "not a submission but the grant of a permission for that target")
    .option("--any-model", "as for `serve`: a lease that does not name model.use asks for every model")
    .addHelpText("after", example("leasehold policy test --policy p.json --principal acme/ci --agent look@1.0.0"))
    .action(async (options) => finish(await (await import("./commands/policy.ts")).testPolicy(options, io)));

  withJson(add("gateway", "mint keys with a cap for a service that speaks the OpenAI API, and stand in front of it"))
    .option("--upstream <url>", "where the service's API is, such as https://api.openai.com/v1")
    .option("--upstream-key-env <name>", "environment variable that holds the service's own key")
    .option("--prices <file>", "JSON file that says what its models cost; others are not called")
    .option("--port <port>", "port to listen on; 0 takes any free one", "7778")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("--data <dir>", "directory that keys and what they spent are kept in", ".leasehold/gateway")
    .option("--tls-cert <file>", "certificate (PEM) to serve https: with")
    .option("--tls-key <file>", "private key (PEM) of the certificate")
    .option("--drain <time>", "how long calls under way may take to end when it is stopped", "10s")
    .option("--output-tokens <count>", "most tokens of an answer whose request does not say", "4096")
    .option("--output-limit-field <name>", "what they are asked for by: or max_tokens", "max_completion_tokens")
    .option("--image-tokens <count>", "tokens set aside for a picture", "50000")
    .option("--allow-field <name>", "let that field of requests through, too; repeatable", collect)
    .option("--log-format <format>", "how the log on stderr is written: text, or json (which --json makes it)")
    .option("--log-level <level>", "least level that is logged: debug, info, warn or error")
    .addHelpText("after", example("leasehold gateway --upstream https://api.openai.com/v1 --prices prices.json"))
    .action(async (options) => finish(await (await import("./commands/gateway.ts")).gateway(options, io)));

  withJson(add("conformance", "test how well a runtime keeps to ARCP v1.1: ours, or the one at a URL"))
    .argument("[url]", "URL of the runtime, such as ws://127.0.0.1:7777/arcp (default: one is started for it)")
    .option("--token <token>", "token to authenticate with (LEASEHOLD_TOKEN keeps it out of the process list)")
    .option("--second-token <token>", "token of another principal (or LEASEHOLD_SECOND_TOKEN)")
    .option("--agent <role=name>", "what an agent is called there, such as echo=my-echo; repeatable", collect)
    .option("--only <section>", "only cases of that section, such as 6.3, or of that requirement; repeatable", collect)
    .option("--timeout <time>", "the longest a case waits for any one thing", "10s")
    .option("--junit <file>", "write a report for build servers, too")
    .option("--all", "show the cases that passed, too")
    .addHelpText("after", example("leasehold conformance ws://127.0.0.1:7777/arcp --only 6.3"))
    .action(async (url, options) =>
      finish(await (await import("./commands/conformance.ts")).conformance(url, options, io)),
    );

  withConnection(add("doctor", "look for what keeps a runtime from working, on this machine and where one runs"))
    .option("--data <dir>", "data directory to look at", ".leasehold")
    .option("--host <host>", "address that `serve` is to listen on", "127.0.0.1")
    .option("--port <port>", "port that `serve` is to listen on", "7777")
    .addHelpText("after", example("leasehold doctor --data /var/lib/leasehold"))
    .action(async (options) => finish(await (await import("./commands/doctor.ts")).doctor(options, io)));

  withJson(add("version", "print the version"))
    .addHelpText("after", example("leasehold version --json"))
    .action(async (options) => finish(await (await import("./commands/version.ts")).version(options, io)));

  return program;
}
