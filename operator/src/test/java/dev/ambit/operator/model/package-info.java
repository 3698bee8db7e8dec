@NullMarked
package dev.ambit.operator.model;

import org.jspecify.annotations.NullMarked;
