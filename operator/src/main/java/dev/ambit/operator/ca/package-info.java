/** The certificate authority: its root, what it signs, and who may ask for it. */
@NullMarked
package dev.ambit.operator.ca;

import org.jspecify.annotations.NullMarked;
