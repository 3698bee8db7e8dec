@NullMarked
package dev.ambit.agent.cni;

import org.jspecify.annotations.NullMarked;
