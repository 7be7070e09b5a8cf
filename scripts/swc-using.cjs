/**
 * Teaches the syntax walker of `@swc/core`, with which dependency-cruiser reads TypeScript, about `using` and
 * `await using`: it knows no such statement and would throw. Loaded by `.dependency-cruiser.cjs`.
 */
const { Visitor } = require("@swc/core/Visitor.js");

const visitStatement = Visitor.prototype.visitStatement;

Visitor.prototype.visitStatement = function visitStatementOrUsing(statement) {
  if (statement.type !== "UsingDeclaration") return visitStatement.call(this, statement);
  this.visitVariableDeclarators(statement.decls);
  return statement;
};
