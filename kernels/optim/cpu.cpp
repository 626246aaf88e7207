// Element by element in T, in the order of operations of PyTorch's single-tensor optimisers: every
// hyperparameter is worked out in double and rounded once to T, as PyTorch does with the scalars it hands to
// its kernels. Adam's first moment is a linear interpolation, m + (1 - b1) (g - m), taken from the nearer end
// as torch.lerp. One load and one store per array: bound by memory, so a span does all the work on it in one
// pass.
#include "kernels/optim/cpu.h"

#include <cmath>

#include "kernels/base/elementwise.h"

namespace kernels::cpu {

namespace {

/// Hyperparameters rounded to T. A span's arrays do not overlap, which `__restrict__` says to the vectoriser.
template <class T>
struct Sgd {
  T minus_rate, momentum, decay;
  bool first;

  void plain(int64_t count, const T* __restrict__ g, T* __restrict__ w) const {
    for (int64_t i = 0; i < count; ++i) w[i] += minus_rate * (g[i] + decay * w[i]);
  }

  void with_momentum(int64_t count, const T* __restrict__ g, T* __restrict__ m, T* __restrict__ w) const {
    for (int64_t i = 0; i < count; ++i) {
      const T gradient = g[i] + decay * w[i];
      const T old = momentum * m[i];  // not used in the first step, when m holds nothing yet
      const T moment = first ? gradient : old + gradient;
      m[i] = moment;
      w[i] += minus_rate * moment;
    }
  }
};

template <class T>
struct Adam {
  T minus_rate, rest1, beta2, rest2, root2, eps, decay;  // rest = 1 - beta, root2 = sqrt(1 - beta2^t)

  explicit Adam(const AdamStep& step)
      : rest1(static_cast<T>(1 - step.beta1)),
        beta2(static_cast<T>(step.beta2)),
        rest2(static_cast<T>(1 - step.beta2)),
        eps(static_cast<T>(step.eps)),
        decay(static_cast<T>(step.decay)) {
    const auto t = static_cast<double>(step.step);
    minus_rate = static_cast<T>(-(step.lr / (1 - std::pow(step.beta1, t))));
    root2 = static_cast<T>(std::sqrt(1 - std::pow(step.beta2, t)));
  }

  void update(int64_t count, const T* __restrict__ g, T* __restrict__ m, T* __restrict__ v,
              T* __restrict__ w) const {
    const bool from_old = rest1 < T(0.5);
    const T part = from_old ? rest1 : rest1 - T(1);
    for (int64_t i = 0; i < count; ++i) {
      const T gradient = g[i] + decay * w[i];
      const T old = m[i];
      const T moment = (from_old ? old : gradient) + part * (gradient - old);
      const T square = beta2 * v[i] + rest2 * gradient * gradient;
      m[i] = moment;
      v[i] = square;
      w[i] += minus_rate * moment / (std::sqrt(square) / root2 + eps);
    }
  }
};

}  // namespace

template <class T>
void sgd(const Exec& exec, int64_t count, const SgdStep& step, const T* g, T* m, T* w) {
  const Sgd<T> rule{static_cast<T>(-step.lr), static_cast<T>(step.momentum), static_cast<T>(step.decay),
                    step.first};
  parallel_spans(exec, count, [=](int64_t begin, int64_t end) {
    if (step.momentum == 0) {
      rule.plain(end - begin, g + begin, w + begin);
    } else {
      rule.with_momentum(end - begin, g + begin, m + begin, w + begin);
    }
  });
}

template <class T>
void adam(const Exec& exec, int64_t count, const AdamStep& step, const T* g, T* m, T* v, T* w) {
  const Adam<T> rule(step);
  parallel_spans(exec, count, [=](int64_t begin, int64_t end) {
    rule.update(end - begin, g + begin, m + begin, v + begin, w + begin);
  });
}

template void sgd(const Exec&, int64_t, const SgdStep&, const float*, float*, float*);
template void sgd(const Exec&, int64_t, const SgdStep&, const double*, double*, double*);
template void adam(const Exec&, int64_t, const AdamStep&, const float*, float*, float*, float*);
template void adam(const Exec&, int64_t, const AdamStep&, const double*, double*, double*, double*);

}  // namespace kernels::cpu
