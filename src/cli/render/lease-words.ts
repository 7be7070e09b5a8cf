/** A job's authority in plain words: what it may do, what it may spend, until when (§9). */

/** Namespaces of §9.2. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["fs.read", "read files"],
  ["fs.write", "write files"],
  ["net.fetch", "fetch"],
  ["tool.call", "call tools"],
  ["agent.delegate", "delegate to"],
  ["model.use", "use models"],
]);

/** `USD:5.00` → `5.00 USD` */
function amountText(amount: string): string {
  const colon = amount.indexOf(":");
  return colon < 0 ? amount : `${amount.slice(colon + 1)} ${amount.slice(0, colon)}`;
}

/** One line for each thing it may do, such as `read files: /workspace/**`. Text comes as it was submitted. */
export function leaseWords(lease: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const lines = Object.entries(lease).map(([namespace, patterns]) =>
    namespace === "cost.budget"
      ? `spend up to: ${patterns.map(amountText).join(", ")}`
      : `${WORDS.get(namespace) ?? namespace}: ${patterns.join(", ")}`,
  );
  return lines.length === 0 ? ["nothing was granted"] : lines;
}
