@NullMarked
package dev.ambit.agent.capture;

import org.jspecify.annotations.NullMarked;
