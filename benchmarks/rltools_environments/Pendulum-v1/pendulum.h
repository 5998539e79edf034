// Pendulum-v1 with Gymnasium's dynamics, as edgerl/tasks/pendulum/env.py has them. Radians, seconds, N m; upright is 0.
#ifndef PENDULUM_H
#define PENDULUM_H

#include <cmath>

namespace pendulum {

constexpr float PI = 3.14159265358979f;
constexpr float MAX_TORQUE = 2, MAX_SPEED = 8, TAU = 0.05f, GRAVITY = 10, MASS = 1, LENGTH = 1;
constexpr int OBSERVATIONS = 3, EPISODE_STEPS = 200;

struct State {
    float theta;      // in [-pi, pi]
    float theta_dot;  // in [-MAX_SPEED, MAX_SPEED]
};

inline float clipped(float x, float most) { return x < -most ? -most : x > most ? most : x; }

// One step of TAU seconds; the torque is clipped.
inline State next(State state, float torque) {
    torque = clipped(torque, MAX_TORQUE);
    const float acceleration =
        1.5f * GRAVITY / LENGTH * std::sin(state.theta) + 3 / (MASS * LENGTH * LENGTH) * torque;
    const float theta_dot = clipped(state.theta_dot + TAU * acceleration, MAX_SPEED);
    float theta = state.theta + TAU * theta_dot;  // leaves the circle by less than a turn
    if (theta > PI) theta -= 2 * PI;
    if (theta < -PI) theta += 2 * PI;
    return {theta, theta_dot};
}

// Of the step that starts in `state`.
inline float reward(State state, float torque) {
    torque = clipped(torque, MAX_TORQUE);
    return -(state.theta * state.theta + 0.1f * state.theta_dot * state.theta_dot + 0.001f * torque * torque);
}

inline void observe(State state, float observation[OBSERVATIONS]) {
    observation[0] = std::cos(state.theta);
    observation[1] = std::sin(state.theta);
    observation[2] = state.theta_dot;
}

}  // namespace pendulum

#endif
