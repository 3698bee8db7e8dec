/** The packet filter rules that redirect a pod's traffic, and those that spare its probes. */
@NullMarked
package dev.ambit.agent.rules;

import org.jspecify.annotations.NullMarked;
