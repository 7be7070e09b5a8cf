import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { compilePatterns } from "./patterns.ts";
import { canonicalEscapes, canonicalPath, canonicalTarget, canonicalUrl } from "./targets.ts";

function refusal(attempt: () => unknown): string {
  try {
    attempt();
    return "none";
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return error.code;
  }
}

describe("a path", () => {
  test.each([
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/b/", "/a/b"],
    ["//a///b", "/a/b"],
    ["/a/./b/.", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/b/../../..", "/"],
    ["/../../etc", "/etc"],
    ["/a/..b/...", "/a/..b/..."],
    ["/a/.git", "/a/.git"],
    ["/é 🦊/%2e%2e", "/é 🦊/%2e%2e"],
  ])("%j is %j", (path, canonical) => expect(canonicalPath(path)).toBe(canonical));

  test.each(["", "a", "./a", "../a", "C:\\a", "file:///a", "/a\0b"])("%j is none", (path) => {
    expect(refusal(() => canonicalPath(path))).toBe("INVALID_REQUEST");
  });

  test("has one form, which no spelling leaves", () => {
    const segments = fc.array(fc.constantFrom("a", "b", ".git", "..x", "🦊"), { maxLength: 5 });
    const detour = fc.constantFrom("/", "//", "/./", "/x/../", "/x/y/../../");
    fc.assert(
      fc.property(segments, fc.array(detour, { minLength: 6, maxLength: 6 }), (names, detours) => {
        const plain = `/${names.join("/")}`;
        const spelt = names.map((name, index) => detours[index] + name).join("") + detours[5];
        return canonicalPath(spelt) === plain && canonicalPath(plain) === plain;
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", ".", "/") }), (text) => {
        const path = canonicalPath(`/${text}`);
        return path === "/" || /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/.test(path);
      }),
    );
  });
});

describe("a URL", () => {
  test.each([
    ["https://x.org", "https://x.org/"],
    ["HTTPS://X.ORG:443/A?b#c", "https://x.org/A"],
    ["http://x.org:80/", "http://x.org/"],
    ["http://x.org:443/", "http://x.org:443/"],
    ["http://x.org:08080/", "http://x.org:8080/"],
    ["https://x.org/a/../b/./c", "https://x.org/b/c"],
    ["https://x.org/a/%2e%2E/b/.%2e/%2e/c", "https://x.org/c"],
    ["https://x.org\\a\\..\\b", "https://x.org/b"],
    ["https://x.org/%7euser/%41%2d%5f", "https://x.org/~user/A-_"],
    ["https://x.org/%c3%a9/%2f", "https://x.org/%C3%A9/%2F"],
    ["https://x.org/é b", "https://x.org/%C3%A9%20b"],
    ["https://x.org/%zz%", "https://x.org/%25zz%25"],
    ["https://x.org/%%341", "https://x.org/%2541"],
    ["https://x.org//a", "https://x.org//a"],
    [" ht\ntps://x.org/a\t/b ", "https://x.org/a/b"],
    ["https://Bücher.de/", "https://xn--bcher-kva.de/"],
    ["https://ｅｘａｍｐｌｅ.com/", "https://example.com/"],
    ["http://2130706433/", "http://127.0.0.1/"],
    ["http://0x7f.1/", "http://127.0.0.1/"],
    ["http://[0:0::1]/", "http://[::1]/"],
    ["http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"],
    ["https://x.org/a*b", "https://x.org/a*b"],
  ])("%j is %j", (url, canonical) => expect(canonicalUrl(url)).toBe(canonical));

  test.each([
    "",
    "/a",
    "x.org/a",
    "//x.org/a",
    "https://",
    "ftp://x.org/",
    "file:///etc/passwd",
    "data:,a",
    "blob:https://x.org/1",
    "ws://x.org/",
    "https://me@x.org/",
    "https://:secret@x.org/",
    "https://x.org/a/..%2fb",
    "https://x.org/a/%2E%2E%5Cb",
    "https://x.org/a%2f..",
    "https://x.org/.%2fa",
    // For servers that take what follows a ; for parameters, and for those that undo escapes twice.
    "https://x.org/a/..;/b",
    "https://x.org/a/..;v=1/b",
    "https://x.org/a/..%3Bv/b",
    "https://x.org/a/..;",
    "https://x.org/a/%252e%252e/b",
    "https://x.org/a/.%252E%252fb",
    "https://x.org/a%25252f..%25255cb",
  ])("%j is none", (url) => expect(refusal(() => canonicalUrl(url))).toBe("INVALID_REQUEST"));

  const characters = fc.constantFrom(
    "a",
    "Z",
    "0",
    "-",
    "~",
    ".",
    "/",
    "%",
    "2",
    "e",
    "é",
    "🦊",
    "*",
    "\\",
    ";",
    "^",
    " ",
  );

  test("has one form, which does not change any more and names the same place", () => {
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (path) => {
        const url = `https://x.org/${path}`;
        const code = refusal(() => canonicalUrl(url));
        if (code !== "none") return code === "INVALID_REQUEST";
        const canonical = canonicalUrl(url);
        expect(canonicalUrl(canonical)).toBe(canonical);
        expect(new URL(canonical).href).toBe(canonical);
        expect(canonicalEscapes(new URL(url).pathname)).toBe(new URL(canonical).pathname);
        return true;
      }),
      { numRuns: 1_000 },
    );
  });

  test("[attack-fetch-spelling] keeps its place whatever way it is written, for every pattern", () => {
    const name = fc.string({ unit: fc.constantFrom("a", "b", "-", "~", ".", "_", "é"), minLength: 1, maxLength: 4 });
    const segments = fc.array(
      name.filter((text) => !/^\.+$/.test(text)),
      { minLength: 1, maxLength: 4 },
    );
    const ways = fc.array(fc.nat(5), { minLength: 20, maxLength: 20 });
    const pattern = fc
      .array(fc.constantFrom("a", "b", "*", "**", "?", "~*", "é"), { minLength: 1, maxLength: 4 })
      .map((all) => `https://x.org/${all.join("/")}`);
    fc.assert(
      fc.property(segments, ways, fc.array(pattern, { minLength: 1, maxLength: 3 }), (names, turns, patterns) => {
        let at = 0;
        const turn = (): number => turns[at++ % turns.length] ?? 0;
        const escaped = (text: string): string =>
          [...text]
            .map((character) => {
              const bytes = [...new TextEncoder().encode(character)].map((byte) => byte.toString(16).padStart(2, "0"));
              const encoded = bytes.map((byte) => `%${byte}`).join("");
              return [character, encoded, encoded.toUpperCase()][turn() % 3];
            })
            .join("");
        const detour = (): string => ["/", "/./", "/x/../", "/%2e/", "/x/%2E./", "\\"][turn()] ?? "/";
        const scheme = ["https", "HTTPS", "hTTps"][turn() % 3];
        const host = ["x.org", "X.oRG", "x.org:443", "x.org:0443", "%78.org", "ｘ.org"][turn()];
        const spelt = `${scheme}://${host}${names.map((one) => detour() + escaped(one)).join("")}${["", "?q=/../", "#/../"][turn() % 3]}`;
        const plain = canonicalUrl(`https://x.org/${names.join("/")}`);
        expect(canonicalUrl(spelt)).toBe(plain);
        const set = compilePatterns("net.fetch", patterns);
        return set.matches(canonicalUrl(spelt)) === set.matches(plain);
      }),
      { numRuns: 500 },
    );
  });

  test("is found, or refused, in any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.webUrl()), (text) =>
        ["none", "INVALID_REQUEST"].includes(refusal(() => canonicalUrl(text))),
      ),
    );
  });
});

test("a model's name leads nowhere else, though services have it in their addresses", () => {
  for (const name of ["small/../large", "..", "a/.", "small\\..\\large", "a%2F..%2Fb", "a/%2e%2e/b"]) {
    expect(
      refusal(() => canonicalTarget("model.use", name)),
      name,
    ).toBe("INVALID_REQUEST");
  }
  for (const name of ["v1.5/small..large", "org/...", "a.b/c:d@e", "a/.b"]) {
    expect(canonicalTarget("model.use", name)).toBe(name);
  }
});

test("names are what they are, but not empty", () => {
  expect(canonicalTarget("tool.call", "a/../b")).toBe("a/../b");
  expect(refusal(() => canonicalTarget("tool.call", ""))).toBe("INVALID_REQUEST");
  expect(canonicalTarget("fs.write", "/a/../b")).toBe("/b");
  expect(canonicalTarget("net.fetch", "HTTP://x.org")).toBe("http://x.org/");
});
