/** `/healthz`: this process runs and answers. Says nothing else, and needs no authentication. */
import { answerJson, type HttpFace } from "./http-faces.ts";

export const healthFace: HttpFace = {
  prefix: "/healthz",
  handle(request, response) {
    if (request.method === "GET" || request.method === "HEAD") {
      answerJson(request, response, 200, { status: "ok" });
    } else {
      const error = { message: "only GET and HEAD are allowed here" };
      answerJson(request, response, 405, { error }, { allow: "GET, HEAD" });
    }
  },
};
