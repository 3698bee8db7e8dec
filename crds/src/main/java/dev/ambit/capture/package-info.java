/**
 * Which pods are captured: pure functions, shared by the operator, which reports, and the node
 * agent, which acts.
 */
@NullMarked
package dev.ambit.capture;

import org.jspecify.annotations.NullMarked;
