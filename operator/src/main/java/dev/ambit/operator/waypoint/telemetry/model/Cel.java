package dev.ambit.operator.waypoint.telemetry.model;

import dev.cel.common.CelAbstractSyntaxTree;
import dev.cel.common.CelValidationException;
import dev.cel.common.ast.CelExpr;
import dev.cel.common.navigation.CelNavigableAst;
import dev.cel.parser.CelParser;
import dev.cel.parser.CelParserFactory;
import dev.cel.parser.CelStandardMacro;
import java.util.Optional;
import java.util.Set;

/**
 * Whether Envoy would take an expression. Envoy rejects a whole listener for one that it does not
 * understand, so none of those may reach it.
 */
final class Cel {
  static final int LONGEST = 1024;

  private static final CelParser PARSER =
      CelParserFactory.standardCelParserBuilder().setStandardMacros(CelStandardMacro.HAS).build();

  /** The names that Envoy gives values to. */
  private static final Set<String> ATTRIBUTES =
      Set.of(
          "request",
          "response",
          "connection",
          "upstream",
          "source",
          "destination",
          "metadata",
          "filter_state",
          "upstream_filter_state",
          "xds");

  /** What Envoy can compute: CEL's standard functions without conversions to text. */
  private static final Set<String> FUNCTIONS =
      Set.of(
          "_?_:_",
          "_&&_",
          "_||_",
          "!_",
          "-_",
          "_==_",
          "_!=_",
          "_<_",
          "_<=_",
          "_>_",
          "_>=_",
          "_+_",
          "_-_",
          "_*_",
          "_/_",
          "_%_",
          "_[_]",
          "@in",
          "in",
          "size",
          "contains",
          "startsWith",
          "endsWith",
          "matches",
          "int",
          "uint",
          "double",
          "timestamp",
          "duration",
          "getFullYear",
          "getMonth",
          "getDate",
          "getDayOfMonth",
          "getDayOfWeek",
          "getDayOfYear",
          "getHours",
          "getMinutes",
          "getSeconds",
          "getMilliseconds");

  private Cel() {}

  /** What is wrong with it; empty where nothing is. */
  static Optional<String> problem(String expression) {
    if (expression.isBlank()) {
      return Optional.of("the expression is empty");
    }
    if (expression.length() > LONGEST) {
      return Optional.of("the expression is longer than " + LONGEST + " characters");
    }
    CelAbstractSyntaxTree tree;
    try {
      tree = PARSER.parse(expression).getAst();
    } catch (CelValidationException e) {
      String reason = e.getMessage() == null ? "" : e.getMessage().lines().findFirst().orElse("");
      return Optional.of("not an expression of CEL: " + reason);
    }
    return CelNavigableAst.fromAst(tree)
        .getRoot()
        .allNodes()
        .map(node -> problem(node.expr()))
        .flatMap(Optional::stream)
        .findFirst();
  }

  private static Optional<String> problem(CelExpr expression) {
    return switch (expression.exprKind().getKind()) {
      case IDENT ->
          ATTRIBUTES.contains(expression.ident().name())
              ? Optional.empty()
              : Optional.of("Envoy has no attribute " + expression.ident().name());
      case CALL ->
          FUNCTIONS.contains(expression.call().function())
              ? Optional.empty()
              : Optional.of("Envoy has no function " + expression.call().function());
      case COMPREHENSION -> Optional.of("Envoy does not loop");
      case STRUCT -> Optional.of("Envoy makes no messages");
      case CONSTANT, SELECT, LIST, MAP -> Optional.empty();
      case NOT_SET -> Optional.of("the expression is empty");
    };
  }
}
