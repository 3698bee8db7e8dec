/** Which pods are captured, how far each is, and what comes next for it. */
@NullMarked
package dev.ambit.agent.capture;

import org.jspecify.annotations.NullMarked;
