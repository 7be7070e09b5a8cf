import { describe, expect, it } from "vitest";
import { TlsError } from "../../server/tls-files.ts";
import { explainListenFailure, readListenOptions } from "./listening.ts";

const WHERE = { port: "7777", host: "127.0.0.1" };

describe("where to listen", () => {
  it("is the host and port, and nothing that was not said", () => {
    expect(readListenOptions(WHERE, "/place")).toEqual({ port: 7777, host: "127.0.0.1" });
  });

  it("takes TLS files from the working directory, proxies, hosts and origins", () => {
    const options = {
      ...WHERE,
      tlsCert: "cert.pem",
      tlsKey: "/etc/key.pem",
      trustedProxy: ["10.0.0.0/8"],
      forwardedHeader: "Forwarded",
      allowedHost: ["jobs.example.com"],
      allowedOrigin: ["https://console.example.com"],
    };
    expect(readListenOptions(options, "/place")).toEqual({
      port: 7777,
      host: "127.0.0.1",
      tls: { cert: "/place/cert.pem", key: "/etc/key.pem" },
      trustedProxies: ["10.0.0.0/8"],
      forwardedHeader: "forwarded",
      allowedHosts: ["jobs.example.com"],
      allowedOrigins: ["https://console.example.com"],
    });
  });

  it.each([
    [{ tlsCert: "cert.pem" }, "--tls-cert and --tls-key go together"],
    [{ tlsKey: "key.pem" }, "--tls-cert and --tls-key go together"],
    [{ forwardedHeader: "x-real-ip" }, '--forwarded-header must be x-forwarded-for or forwarded, not "x-real-ip"'],
    [{ port: "x" }, "--port must be"],
  ])("is not told by %j", (options, message) => {
    expect(() => readListenOptions({ ...WHERE, ...options }, "/place")).toThrow(message);
  });
});

describe("a failure to listen", () => {
  const failure = (properties: object): Error => Object.assign(new Error("why"), properties);

  it.each([
    ["EADDRINUSE", failure({ code: "EADDRINUSE" }), "PORT_TAKEN", "port 7777 is taken"],
    ["EACCES", failure({ code: "EACCES" }), "PORT_DENIED", "port 7777 may not be opened by this user"],
    ["a TLS file", new TlsError("why"), "TLS_UNUSABLE", "why"],
    ["anything else", failure({}), "CANNOT_LISTEN", "cannot listen on 127.0.0.1 port 7777 (why)"],
  ])("by %s says what to do", (_, error, code, message) => {
    const explained = explainListenFailure(error, { host: "127.0.0.1", port: 7777 });
    expect(explained).toMatchObject({ code, message, cause: error });
    expect(explained.remedy).toBeTypeOf("string");
  });
});
