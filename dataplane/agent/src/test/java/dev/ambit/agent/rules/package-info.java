@NullMarked
package dev.ambit.agent.rules;

import org.jspecify.annotations.NullMarked;
