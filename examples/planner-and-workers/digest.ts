/** The sentence of a text that says most of it: the one whose words come up most often in the whole. */

/** Shorter words say little. */
const SHORTEST_WORD = 5;

export function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/\p{L}+/gu) ?? [];
}

export function digestOf(text: string): string {
  const weights = new Map<string, number>();
  for (const word of wordsOf(text).filter(isTelling)) weights.set(word, (weights.get(word) ?? 0) + 1);
  const weigh = (sentence: string): number => {
    const words = new Set(wordsOf(sentence).filter(isTelling));
    return [...words].reduce((sum, word) => sum + (weights.get(word) ?? 0), 0) / Math.sqrt(words.size + 1);
  };
  const sentences = text.replace(/\s+/g, " ").match(/[^.!?]+[.!?]?/g) ?? [];
  return sentences.reduce((best, sentence) => (weigh(sentence) > weigh(best) ? sentence : best), "").trim();
}

function isTelling(word: string): boolean {
  return word.length >= SHORTEST_WORD;
}
