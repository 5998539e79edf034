// `pendulum.h` as an environment of RLtools, whose actions are in [-1, 1].
#include <rl_tools/rl/environments/environments.h>

#include "pendulum.h"

template <typename T_T, typename T_TI>
struct PendulumEnvironment : rl_tools::rl::environments::Environment<T_T, T_TI> {
    using T = T_T;
    using TI = T_TI;
    using State = pendulum::State;
    struct Parameters {};
    struct Observation {
        static constexpr TI DIM = pendulum::OBSERVATIONS;
    };
    using ObservationPrivileged = Observation;
    static constexpr TI ACTION_DIM = 1;
    static constexpr TI EPISODE_STEP_LIMIT = pendulum::EPISODE_STEPS;
};

template <typename T, typename TI>
using ENVIRONMENT_FACTORY = PendulumEnvironment<T, TI>;

namespace rl_tools {

template <typename DEVICE, typename T, typename TI>
void malloc(DEVICE&, const PendulumEnvironment<T, TI>&) {}

template <typename DEVICE, typename T, typename TI>
void free(DEVICE&, const PendulumEnvironment<T, TI>&) {}

template <typename DEVICE, typename T, typename TI>
void init(DEVICE&, const PendulumEnvironment<T, TI>&) {}

template <typename DEVICE, typename T, typename TI>
void initial_parameters(DEVICE&, const PendulumEnvironment<T, TI>&,
                        typename PendulumEnvironment<T, TI>::Parameters&) {}

template <typename DEVICE, typename T, typename TI, typename RNG>
void sample_initial_parameters(DEVICE&, const PendulumEnvironment<T, TI>&,
                               typename PendulumEnvironment<T, TI>::Parameters&, RNG&) {}

template <typename DEVICE, typename T, typename TI>
void initial_state(DEVICE&, const PendulumEnvironment<T, TI>&, typename PendulumEnvironment<T, TI>::Parameters&,
                   pendulum::State& state) {
    state = {-pendulum::PI, 0};
}

template <typename DEVICE, typename T, typename TI, typename RNG>
void sample_initial_state(DEVICE&, const PendulumEnvironment<T, TI>&,
                          typename PendulumEnvironment<T, TI>::Parameters&, pendulum::State& state, RNG& rng) {
    typename DEVICE::SPEC::RANDOM random;
    state.theta = random::uniform_real_distribution(random, -pendulum::PI, pendulum::PI, rng);
    state.theta_dot = random::uniform_real_distribution(random, (T)-1, (T)1, rng);
}

template <typename DEVICE, typename T, typename TI, typename ACTION, typename RNG>
T step(DEVICE&, const PendulumEnvironment<T, TI>&, typename PendulumEnvironment<T, TI>::Parameters&,
       const pendulum::State& state, const Matrix<ACTION>& action, pendulum::State& next_state, RNG&) {
    next_state = pendulum::next(state, pendulum::MAX_TORQUE * get(action, 0, 0));
    return pendulum::TAU;
}

template <typename DEVICE, typename T, typename TI, typename ACTION, typename RNG>
T reward(DEVICE&, const PendulumEnvironment<T, TI>&, typename PendulumEnvironment<T, TI>::Parameters&,
         const pendulum::State& state, const Matrix<ACTION>& action, const pendulum::State&, RNG&) {
    return pendulum::reward(state, pendulum::MAX_TORQUE * get(action, 0, 0));
}

template <typename DEVICE, typename T, typename TI, typename OBSERVATION, typename RNG>
void observe(DEVICE&, const PendulumEnvironment<T, TI>&, const typename PendulumEnvironment<T, TI>::Parameters&,
             const pendulum::State& state, const typename PendulumEnvironment<T, TI>::Observation&,
             Matrix<OBSERVATION>& observation, RNG&) {
    float values[pendulum::OBSERVATIONS];
    pendulum::observe(state, values);
    for (TI i = 0; i < pendulum::OBSERVATIONS; i++) set(observation, 0, i, values[i]);
}

template <typename DEVICE, typename T, typename TI, typename RNG>
bool terminated(DEVICE&, const PendulumEnvironment<T, TI>&, typename PendulumEnvironment<T, TI>::Parameters&,
                const pendulum::State&, RNG&) {
    return false;
}

}  // namespace rl_tools
