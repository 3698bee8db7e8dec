/** The operator's program: what runs on every replica, and what only on the one that leads. */
@NullMarked
package dev.ambit.operator;

import org.jspecify.annotations.NullMarked;
