@NullMarked
package dev.ambit.agent.cluster;

import org.jspecify.annotations.NullMarked;
