@NullMarked
package dev.ambit.operator.waypoint.life.model;

import org.jspecify.annotations.NullMarked;
