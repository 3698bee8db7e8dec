@NullMarked
package dev.ambit.agent.zds;

import org.jspecify.annotations.NullMarked;
