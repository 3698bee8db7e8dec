package dev.ambit.docs;

import com.sun.source.tree.AssignmentTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.ConditionalExpressionTree;
import com.sun.source.tree.ExpressionTree;
import com.sun.source.tree.IdentifierTree;
import com.sun.source.tree.LambdaExpressionTree;
import com.sun.source.tree.LiteralTree;
import com.sun.source.tree.MemberSelectTree;
import com.sun.source.tree.MethodInvocationTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.NewClassTree;
import com.sun.source.tree.ParameterizedTypeTree;
import com.sun.source.tree.ParenthesizedTree;
import com.sun.source.tree.ReturnTree;
import com.sun.source.tree.SwitchExpressionTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.VariableTree;
import com.sun.source.tree.YieldTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreeScanner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import javax.lang.model.element.Modifier;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * The reasons, as Kubernetes calls the one word of a condition or an Event, that a program can
 * give: every word that is handed to a parameter, component, variable or method called {@code
 * reason} somewhere in its sources.
 */
final class ReasonsInSource {
  private static final Pattern WORD = Pattern.compile("[A-Z][a-z][A-Za-z0-9]+");

  /** Where a method, constructor or record, by name and number of parameters, takes a reason. */
  private final Map<String, Set<Integer>> positions = new HashMap<>();

  /** Constants by {@code Class.NAME}. */
  private final Map<String, String> constants = new HashMap<>();

  private final Map<String, Set<String>> found = new TreeMap<>();

  private ReasonsInSource() {}

  /** The reasons in the folders' sources, each with the files that give it. */
  static Map<String, Set<String>> of(List<Path> folders) throws IOException {
    var files = new ArrayList<Path>();
    for (Path folder : folders) {
      try (var all = Files.walk(folder)) {
        all.filter(file -> file.toString().endsWith(".java")).forEach(files::add);
      }
    }
    var compiler = ToolProvider.getSystemJavaCompiler();
    var reasons = new ReasonsInSource();
    try (var manager = compiler.getStandardFileManager(null, null, null)) {
      var task =
          (JavacTask)
              compiler.getTask(
                  null,
                  manager,
                  null,
                  List.of("-proc:none"),
                  null,
                  manager.getJavaFileObjectsFromPaths(files));
      var units = new ArrayList<CompilationUnitTree>();
      task.parse().forEach(units::add);
      units.forEach(unit -> unit.accept(reasons.new Declarations(), null));
      units.forEach(unit -> unit.accept(reasons.new Uses(), null));
    }
    return reasons.found;
  }

  /** Finds what takes reasons, and constants. */
  private final class Declarations extends TreeScanner<@Nullable Void, @Nullable Void> {
    private String enclosing = "";

    @Override
    public @Nullable Void visitClass(ClassTree type, @Nullable Void unused) {
      String outer = enclosing;
      enclosing = type.getSimpleName().toString();
      if (type.getKind() == Tree.Kind.RECORD) {
        note(
            enclosing,
            type.getMembers().stream()
                .filter(VariableTree.class::isInstance)
                .map(VariableTree.class::cast)
                .filter(field -> !field.getModifiers().getFlags().contains(Modifier.STATIC))
                .toList());
      }
      super.visitClass(type, null);
      enclosing = outer;
      return null;
    }

    @Override
    public @Nullable Void visitMethod(MethodTree method, @Nullable Void unused) {
      note(
          method.getName().contentEquals("<init>") ? enclosing : method.getName().toString(),
          method.getParameters());
      return super.visitMethod(method, null);
    }

    private void note(String name, List<? extends VariableTree> parameters) {
      for (int i = 0; i < parameters.size(); i++) {
        if (parameters.get(i).getName().contentEquals("reason")) {
          positions.computeIfAbsent(name + "/" + parameters.size(), key -> new HashSet<>()).add(i);
        }
      }
    }

    @Override
    public @Nullable Void visitVariable(VariableTree variable, @Nullable Void unused) {
      if (variable.getInitializer() instanceof LiteralTree literal
          && literal.getValue() instanceof String text) {
        constants.put(enclosing + "." + variable.getName(), text);
      }
      return super.visitVariable(variable, null);
    }
  }

  /** Finds the words. */
  private final class Uses extends TreeScanner<@Nullable Void, @Nullable Void> {
    private String file = "";
    private final List<String> enclosing = new ArrayList<>();

    @Override
    public @Nullable Void visitCompilationUnit(CompilationUnitTree unit, @Nullable Void unused) {
      file = String.valueOf(Path.of(unit.getSourceFile().getName()).getFileName());
      return super.visitCompilationUnit(unit, null);
    }

    @Override
    public @Nullable Void visitClass(ClassTree type, @Nullable Void unused) {
      enclosing.addLast(type.getSimpleName().toString());
      super.visitClass(type, null);
      enclosing.removeLast();
      return null;
    }

    @Override
    public @Nullable Void visitNewClass(NewClassTree made, @Nullable Void unused) {
      arguments(name(made.getIdentifier()), made.getArguments());
      return super.visitNewClass(made, null);
    }

    @Override
    public @Nullable Void visitMethodInvocation(MethodInvocationTree call, @Nullable Void unused) {
      arguments(name(call.getMethodSelect()), call.getArguments());
      return super.visitMethodInvocation(call, null);
    }

    @Override
    public @Nullable Void visitVariable(VariableTree variable, @Nullable Void unused) {
      if (variable.getName().contentEquals("reason")) {
        words(variable.getInitializer());
      }
      return super.visitVariable(variable, null);
    }

    @Override
    public @Nullable Void visitAssignment(AssignmentTree assignment, @Nullable Void unused) {
      if (name(assignment.getVariable()).equals("reason")) {
        words(assignment.getExpression());
      }
      return super.visitAssignment(assignment, null);
    }

    @Override
    public @Nullable Void visitMethod(MethodTree method, @Nullable Void unused) {
      if (method.getName().contentEquals("reason") && method.getBody() != null) {
        new TreeScanner<@Nullable Void, @Nullable Void>() {
          @Override
          public @Nullable Void visitReturn(ReturnTree returned, @Nullable Void none) {
            words(returned.getExpression());
            return null;
          }
        }.scan(method.getBody(), null);
      }
      return super.visitMethod(method, null);
    }

    private void arguments(String name, List<? extends ExpressionTree> arguments) {
      positions
          .getOrDefault(name + "/" + arguments.size(), Set.of())
          .forEach(position -> words(arguments.get(position)));
    }

    /** The words that an expression may be. */
    private void words(@Nullable Tree expression) {
      switch (expression) {
        case LiteralTree literal when literal.getValue() instanceof String text -> word(text);
        case ParenthesizedTree inside -> words(inside.getExpression());
        case ConditionalExpressionTree either -> {
          words(either.getTrueExpression());
          words(either.getFalseExpression());
        }
        case SwitchExpressionTree choice ->
            choice
                .getCases()
                .forEach(
                    each -> {
                      if (each.getBody() instanceof ExpressionTree value) {
                        words(value);
                      } else {
                        new TreeScanner<@Nullable Void, @Nullable Void>() {
                          @Override
                          public @Nullable Void visitYield(YieldTree yielded, @Nullable Void none) {
                            words(yielded.getValue());
                            return null;
                          }
                        }.scan(each, null);
                      }
                    });
        case IdentifierTree identifier ->
            enclosing.forEach(type -> constant(type + "." + identifier.getName()));
        case MemberSelectTree selected ->
            constant(name(selected.getExpression()) + "." + selected.getIdentifier());
        case MethodInvocationTree call -> {
          // As optional.map(each -> "One").orElse("Another") is.
          call.getArguments().forEach(this::words);
          if (call.getMethodSelect() instanceof MemberSelectTree selected
              && selected.getExpression() instanceof MethodInvocationTree before) {
            words(before);
          }
        }
        case LambdaExpressionTree lambda -> words(lambda.getBody());
        case null, default -> {}
      }
    }

    private void constant(String name) {
      var value = constants.get(name);
      if (value != null) {
        word(value);
      }
    }

    private void word(String text) {
      if (WORD.matcher(text).matches()) {
        found.computeIfAbsent(text, key -> new TreeSet<>()).add(file);
      }
    }
  }

  private static String name(Tree tree) {
    return switch (tree) {
      case IdentifierTree identifier -> identifier.getName().toString();
      case MemberSelectTree selected -> selected.getIdentifier().toString();
      case ParameterizedTypeTree type -> name(type.getType());
      default -> "";
    };
  }
}
