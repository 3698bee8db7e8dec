/** The node agent: captures the pods of its node for the ztunnel, and lets them go again. */
@NullMarked
package dev.ambit.agent;

import org.jspecify.annotations.NullMarked;
