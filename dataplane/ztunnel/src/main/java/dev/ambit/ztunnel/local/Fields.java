package dev.ambit.ztunnel.local;

import dev.ambit.ztunnel.state.InvalidResourceException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The fields of one object of a document; errors name the place, and unknown fields are errors. */
final class Fields {
  private final String place;
  private final Map<?, ?> values;
  private final Set<Object> read = new HashSet<>();

  private Fields(String place, Map<?, ?> values) {
    this.place = place;
    this.values = values;
  }

  static Fields of(String place, @Nullable Object value) {
    if (value instanceof Map<?, ?> map) {
      return new Fields(place, map);
    }
    throw wrong(place, "an object", value);
  }

  private static InvalidResourceException wrong(
      String place, String wanted, @Nullable Object value) {
    return new InvalidResourceException(place + " is '" + value + "', not " + wanted);
  }

  private String place(Object field) {
    return place.isEmpty() ? field.toString() : place + "." + field;
  }

  @Nullable Object value(String field) {
    read.add(field);
    return values.get(field);
  }

  boolean has(String field) {
    return value(field) != null;
  }

  /** Empty where it is not set. */
  String text(String field) {
    Object value = value(field);
    if (value == null) {
      return "";
    }
    if (value instanceof String || value instanceof Number) {
      return value.toString();
    }
    throw wrong(place(field), "a text", value);
  }

  String required(String field) {
    String text = text(field);
    if (text.isEmpty()) {
      throw new InvalidResourceException(place(field) + " is missing");
    }
    return text;
  }

  boolean flag(String field) {
    Object value = value(field);
    if (value == null) {
      return false;
    }
    if (value instanceof Boolean flag) {
      return flag;
    }
    throw wrong(place(field), "true or false", value);
  }

  int number(String field, int whenUnset) {
    Object value = value(field);
    return value == null ? whenUnset : number(place(field), value);
  }

  static int number(String place, Object value) {
    if (value instanceof Integer number) {
      return number;
    }
    if (value instanceof String text) {
      try {
        return Integer.parseInt(text);
      } catch (NumberFormatException e) {
        // Said below.
      }
    }
    throw wrong(place, "a number", value);
  }

  /** Calls {@code then} with the object {@code field}, if it is set. */
  void object(String field, Consumer<Fields> then) {
    Object value = value(field);
    if (value != null) {
      Fields fields = of(place(field), value);
      then.accept(fields);
      fields.finish();
    }
  }

  List<Object> list(String field) {
    Object value = value(field);
    return value == null ? List.of() : list(place(field), value);
  }

  static List<Object> list(String place, Object value) {
    if (value instanceof List<?> list) {
      return new ArrayList<>(list);
    }
    throw wrong(place, "a list", value);
  }

  List<String> texts(String field) {
    List<String> texts = new ArrayList<>();
    for (Object one : list(field)) {
      if (!(one instanceof String text)) {
        throw wrong(place(field), "a list of texts", one);
      }
      texts.add(text);
    }
    return texts;
  }

  void objects(String field, Consumer<Fields> then) {
    List<Object> all = list(field);
    for (int i = 0; i < all.size(); i++) {
      Fields fields = of(place(field) + "[" + i + "]", all.get(i));
      then.accept(fields);
      fields.finish();
    }
  }

  /** The entries of the object {@code field}, whose keys are data. */
  Map<String, Object> entries(String field) {
    Object value = value(field);
    if (value == null) {
      return Map.of();
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw wrong(place(field), "an object", value);
    }
    Map<String, Object> entries = new LinkedHashMap<>();
    map.forEach((key, entry) -> entries.put(String.valueOf(key), entry));
    return entries;
  }

  String at(String field) {
    return place(field);
  }

  /** All fields were read: another is a mistake. */
  void finish() {
    for (Object field : values.keySet()) {
      if (!read.contains(field)) {
        throw new InvalidResourceException(place(field) + " is not a field that is known");
      }
    }
  }
}
