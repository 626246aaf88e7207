// One synthetic person: looks drawn at random, then the body's parts from far to near. What tells left from
// right is what tells it on people: the face against the back of the head, the open collar, the toes. The
// bright sleeves and socks are worn on one side only, either one, so that they cannot stand in for it.
#include <algorithm>
#include <functional>
#include <numbers>

#include "cpm/dataset/synthetic.h"

namespace cpm {

using engine::Random;

Rgb skin_colour(Random* random) {
  static constexpr std::array<Rgb, 6> kTones{
      {{240, 205, 180}, {228, 185, 150}, {208, 160, 122}, {176, 124, 88}, {134, 90, 62}, {96, 64, 46}}};
  return kTones[random->below(kTones.size())] * random->uniform(0.93, 1.05);
}

Rgb cloth_colour(Random* random) {
  const double hue = random->uniform(0, 6), value = random->uniform(45, 235);
  const double saturation = random->uniform() < 0.25 ? random->uniform(0, 0.12) : random->uniform(0.35, 0.95);
  const auto channel = [&](double shift) {
    const double k = std::fmod(hue + shift, 6.0);
    return static_cast<float>(value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0)));
  };
  return {channel(5), channel(3), channel(1)};
}

namespace {

enum class Sleeve { None, Short, Long };
enum class Bottom { Trousers, Shorts, Skirt };
enum class Pattern { Plain, Hoops, Stripes, Checks, Panel };

struct Looks {
  Rgb skin, hair, shirt, second, bottom_colour, shoes, bright;
  Sleeve sleeve = Sleeve::Short;
  Bottom bottom = Bottom::Trousers;
  Pattern pattern = Pattern::Plain;
  double bands = 6;  // of the pattern, per torso
  bool long_hair = false;
  size_t bright_side = 0;  // 0 right, 1 left
  bool arm_sleeve = false, sock = false;
  double hem = 0.88;  // where the shirt ends, of the torso's length
};

Looks make_looks(Random* random) {
  static constexpr std::array<Rgb, 6> kHair{
      {{28, 22, 20}, {58, 38, 24}, {104, 66, 36}, {168, 126, 66}, {214, 184, 120}, {150, 148, 146}}};
  Looks looks;
  looks.skin = skin_colour(random);
  looks.hair = kHair[random->below(kHair.size())] * random->uniform(0.85, 1.1);
  // Hair in the tone of the skin would hide which way a head is turned.
  const auto grey = [](const Rgb& c) { return 0.3 * c.r + 0.6 * c.g + 0.1 * c.b; };
  if (std::abs(grey(looks.hair) - grey(looks.skin)) < 40) looks.hair = looks.hair * 0.4;
  looks.shirt = cloth_colour(random);
  looks.second = cloth_colour(random);
  looks.bottom_colour = mix(cloth_colour(random), {30, 34, 48}, random->uniform(0.1, 0.75));
  looks.shoes = random->uniform() < 0.5 ? mix(cloth_colour(random), {20, 20, 20}, 0.6) : cloth_colour(random);
  const double sleeve = random->uniform(), bottom = random->uniform(), pattern = random->uniform();
  looks.sleeve = sleeve < 0.18 ? Sleeve::None : sleeve < 0.65 ? Sleeve::Short : Sleeve::Long;
  looks.bottom = bottom < 0.55 ? Bottom::Trousers : bottom < 0.9 ? Bottom::Shorts : Bottom::Skirt;
  looks.pattern = pattern < 0.5    ? Pattern::Plain
                  : pattern < 0.66 ? Pattern::Hoops
                  : pattern < 0.78 ? Pattern::Stripes
                  : pattern < 0.88 ? Pattern::Checks
                                   : Pattern::Panel;
  looks.bands = random->uniform(4, 9);
  looks.long_hair = random->uniform() < 0.35;
  const double bright = random->uniform();
  looks.bright_side = random->below(2);
  looks.arm_sleeve = bright < 0.35;
  looks.sock = bright > 0.2 && bright < 0.5;
  looks.hem = random->uniform(0.8, 0.97);
  // The bright piece has to stand out from skin and trousers.
  static constexpr std::array<Rgb, 5> kBright{
      {{250, 220, 20}, {255, 90, 20}, {40, 220, 70}, {230, 30, 150}, {30, 200, 240}}};
  looks.bright = kBright[random->below(kBright.size())];
  return looks;
}

/// Shirt cloth at (u, v): across -1 ... 1 and down 0 ... 1.
Rgb cloth(const Looks& looks, double u, double v) {
  const auto odd = [&](double t) { return static_cast<int>(std::floor(t)) % 2 != 0; };
  bool second = false;
  switch (looks.pattern) {
    case Pattern::Plain:
      break;
    case Pattern::Hoops:
      second = odd(v * looks.bands + 20);
      break;
    case Pattern::Stripes:
      second = odd((u + 1) * 0.5 * looks.bands + 20);
      break;
    case Pattern::Checks:
      second = odd(v * looks.bands + 20) != odd((u + 1) * 0.5 * looks.bands + 20);
      break;
    case Pattern::Panel:
      second = v > 0.3 && v < 0.55;
      break;
  }
  return second ? looks.second : looks.shirt;
}

/// A person's parts, collected with their depth and drawn from far to near.
class PersonPainter {
 public:
  PersonPainter(Canvas* canvas, const Light& light, const Figure& figure, const Looks& looks)
      : canvas_(canvas), light_(light), figure_(figure), looks_(looks), unit_(figure.height * figure.build) {}

  void draw() {
    collect_leg(0);
    collect_leg(1);
    collect_torso();
    collect_head();
    collect_arm(0);
    collect_arm(1);
    std::stable_sort(parts_.begin(), parts_.end(),
                     [](const Part& a, const Part& b) { return a.depth < b.depth; });
    for (const Part& part : parts_) part.draw();
  }

 private:
  struct Part {
    double depth;
    std::function<void()> draw;
  };

  const Vec& joint(size_t j) const { return figure_.joints[j]; }

  /// `nearer`: fraction of the height by which the part lies in front of its axis.
  void add(double depth, double nearer, std::function<void()> draw) {
    parts_.push_back({depth + nearer * figure_.height, std::move(draw)});
  }

  /// Radii are fractions of the height, for an average build.
  template <class Paint>
  void add_limb(const Vec& a, double ra, const Vec& b, double rb, double nearer, Paint paint) {
    const Capsule limb{flat(a), flat(b), ra * unit_, rb * unit_};
    add(0.5 * (a.z + b.z), nearer, [this, limb, paint] { draw_limb(canvas_, limb, light_, paint); });
  }

  void collect_arm(size_t side) {
    const size_t base = side == 0 ? 8 : 9;
    const Vec shoulder = joint(base), elbow = joint(side == 0 ? 7 : 10), wrist = joint(side == 0 ? 6 : 11);
    const Looks& looks = looks_;
    const bool bright = side == looks.bright_side && looks.arm_sleeve;
    add_limb(shoulder, 0.034, elbow, 0.026, 0.025, [&looks](double t, double u) {
      const double end = looks.sleeve == Sleeve::None ? 0.12 : looks.sleeve == Sleeve::Short ? 0.62 : 2.0;
      return t < end ? cloth(looks, u, 0.15 + 0.4 * t) : looks.skin;
    });
    add_limb(elbow, 0.026, wrist, 0.019, 0.03, [&looks, bright](double t, double u) {
      if (bright && t < 0.9) return looks.bright;
      return looks.sleeve == Sleeve::Long && t < 0.93 ? cloth(looks, u, 0.5 + 0.4 * t) : looks.skin;
    });
    add_limb(wrist, 0.018, figure_.hands[side], 0.021, 0.035,
             [&looks](double, double) { return looks.skin; });
  }

  void collect_leg(size_t side) {
    const Vec hip = joint(side == 0 ? 2 : 3), knee = joint(side == 0 ? 1 : 4),
              ankle = joint(side == 0 ? 0 : 5);
    const Looks& looks = looks_;
    const bool sock = side == looks.bright_side && looks.sock;
    add_limb(hip, 0.056, knee, 0.037, 0, [&looks](double t, double) {
      const bool covered = looks.bottom == Bottom::Trousers || (looks.bottom == Bottom::Shorts && t < 0.78);
      return covered ? looks.bottom_colour : looks.skin;
    });
    add_limb(knee, 0.037, ankle, 0.024, 0.004, [&looks, sock](double t, double) {
      if (sock && t > 0.12) return looks.bright;
      return looks.bottom == Bottom::Trousers && t < 0.92 ? looks.bottom_colour : looks.skin;
    });
    const Vec down = unit(ankle - knee) * (0.018 * figure_.height);
    add_limb(ankle + down, 0.026, figure_.toes[side], 0.022, 0.01,
             [&looks](double, double) { return looks.shoes; });
    if (looks.bottom == Bottom::Skirt && side == 1) collect_skirt();
  }

  void collect_skirt() {
    const auto on_thigh = [&](size_t hip, size_t knee) { return joint(hip) * 0.35 + joint(knee) * 0.65; };
    Polygon skirt{{flat(joint(2)), flat(joint(3)), flat(on_thigh(3, 4)), flat(on_thigh(2, 1))},
                  0.062 * unit_};
    const double depth = 0.25 * (joint(1).z + joint(2).z + joint(3).z + joint(4).z);
    add(depth, 0.03, [this, skirt] {
      cover(
          canvas_, skirt.box(), [&](double x, double y) { return skirt.distance(x, y); },
          [&](double x, double, double d) {
            const double fold = 0.06 * std::sin(x * 24 / unit_ * std::numbers::pi);
            return looks_.bottom_colour * (1.0 + fold - (d > -1.2 ? 0.22 : 0.0));
          });
    });
  }

  /// The trunk: an outline through shoulders, waist and hips, painted by place along the spine and across it.
  void collect_torso() {
    const Vec neck = joint(12), hips = (joint(2) + joint(3)) * 0.5;
    const Vec right = joint(8), left = joint(9), middle = (neck + hips) * 0.5;
    const auto inwards = [](Vec from, Vec to, double t) { return from + (to - from) * t; };
    const Vec waist = (right - left) * 0.34;
    const Vec high = figure_.chest.up * (0.012 * figure_.height);
    Polygon trunk;
    for (const Vec& corner :
         {inwards(right, neck, 0.12), inwards(right, neck, 0.72) + high, inwards(left, neck, 0.72) + high,
          inwards(left, neck, 0.12), middle - waist * 1.0, inwards(joint(3), hips, 0.1),
          inwards(joint(2), hips, 0.1), middle + waist * 1.0}) {
      trunk.corners.push_back(flat(corner));
    }
    trunk.round = 0.036 * unit_;
    add(0.5 * (neck.z + hips.z), 0.012, [this, trunk, neck, hips] { paint_torso(trunk, neck, hips); });
    // The throat, behind the chin and before the nape by the trunk's own turn.
    const Vec head = figure_.head - figure_.skull.up * (0.3 * figure_.head_radius);
    add_limb(neck, 0.032, head, 0.029, 0.014, [this](double, double) { return looks_.skin * 0.92; });
  }

  void paint_torso(const Polygon& trunk, const Vec& neck, const Vec& hips) {
    const Vec spine = hips - neck;
    const double length2 = spine.x * spine.x + spine.y * spine.y + 1e-9, length = std::sqrt(length2);
    const double facing = figure_.chest.front.z;
    // Half the width on the picture, and the middle line's shift towards the side that the chest is turned
    // to.
    const double half =
        std::max(0.5 * std::hypot(joint(8).x - joint(9).x, joint(8).y - joint(9).y), 0.06 * unit_);
    const Vec left = figure_.chest.left;
    cover(
        canvas_, trunk.box(), [&](double x, double y) { return trunk.distance(x, y); },
        [&](double x, double y, double d) {
          const double px = x - neck.x, py = y - neck.y;
          const double v = (px * spine.x + py * spine.y) / length2;
          const double across = (spine.x * py - spine.y * px) / length;  // pixels
          // Positive towards the person's left, whichever way the body is turned.
          const double sign = (spine.x * left.y - spine.y * left.x) >= 0 ? 1 : -1;
          const double u = sign * across / half - 0.35 * sideways();
          const double n = std::clamp(across / (half + trunk.round), -1.0, 1.0);
          const Vec normal{-spine.y / length * n, spine.x / length * n, std::sqrt(1 - n * n)};
          return torso_colour(u, v, facing) * (light_.shade(normal) * (d > -1.2 ? 0.8 : 1.0));
        });
  }

  /// How far the chest points to the side on the picture: moves buttons and collar off the middle.
  double sideways() const {
    const Vec front = figure_.chest.front, left = figure_.chest.left;
    const double width = std::hypot(left.x, left.y) + 0.3;
    return (front.x * left.x + front.y * left.y) / width * (figure_.chest.front.z >= 0 ? 1.0 : 0.0);
  }

  Rgb torso_colour(double u, double v, double facing) const {
    if (v > looks_.hem) return looks_.bottom_colour * (v < looks_.hem + 0.05 ? 0.75 : 1.0);
    if (facing > 0.15) {
      if (v < 0.27 && std::abs(u) < 0.5 * (1 - v / 0.27)) return looks_.skin;
      if (std::abs(u) < 0.055) return cloth(looks_, u, v) * 0.62;
      const double badge = cpm::length(u - 0.42, (v - 0.33) * 1.3);
      if (badge < 0.12) return looks_.second * 0.6 + Rgb{90, 90, 90};
    } else if (v < 0.05 && std::abs(u) < 0.4) {
      return cloth(looks_, u, v) * 0.75;
    }
    return cloth(looks_, u, v);
  }

  void collect_head() {
    const double r = figure_.head_radius;
    const Frame& skull = figure_.skull;
    if (looks_.long_hair) {
      const Vec from = figure_.head - skull.front * (0.45 * r) + skull.up * (0.2 * r);
      const Vec to = figure_.head - skull.front * (0.75 * r) - skull.up * (1.75 * r);
      const Capsule hair{flat(from), flat(to), 0.78 * r, 0.5 * r};
      add(0.5 * (from.z + to.z), skull.front.z < 0 ? 0.05 : -0.02, [this, hair] {
        draw_limb(canvas_, hair, light_,
                  [this](double, double u) { return looks_.hair * (0.9 + 0.12 * std::cos(9 * u)); });
      });
    }
    add(figure_.head.z, 0.028, [this] { paint_head(); });
  }

  /// The skull as an ellipsoid: each pixel's surface point decides between hair, face, eyes and mouth.
  void paint_head() {
    const Frame& skull = figure_.skull;
    const double r = figure_.head_radius;
    // Half axes: 0.78 r to the side, r upwards, 0.86 r to the front; on the picture, an ellipse about the up
    // axis.
    const double lean = std::hypot(skull.up.x, skull.up.y);
    const Ellipse outline{flat(figure_.head), r * (0.8 + 0.2 * lean), 0.8 * r,
                          lean > 1e-9 ? Spot{skull.up.x / lean, skull.up.y / lean} : Spot{1, 0}};
    cover(
        canvas_, outline.box(), [&](double x, double y) { return outline.distance(x, y); },
        [&](double x, double y, double d) {
          Rgb sum;
          for (const double sy : {-0.25, 0.25}) {
            for (const double sx : {-0.25, 0.25}) sum = sum + head_colour(outline, x + sx, y + sy);
          }
          return sum * (0.25 * (d > -0.9 ? 0.82 : 1.0));
        });
  }

  Rgb head_colour(const Ellipse& outline, double x, double y) const {
    const Spot u = outline.unit(x, y);
    const Spot& axis = outline.axis;
    Vec n{axis.x * u.x - axis.y * u.y, axis.y * u.x + axis.x * u.y, 0};
    n.z = std::sqrt(std::max(0.0, 1 - n.x * n.x - n.y * n.y));
    const Frame& skull = figure_.skull;
    const double left = dot(n, skull.left), up = dot(n, skull.up), front = dot(n, skull.front);
    const double light = light_.shade(n);
    const bool nape = front < 0 && up < -0.72 && !looks_.long_hair;
    if (!nape && (up > 0.62 || front < 0.1 + 0.25 * up)) return looks_.hair * light;
    const double eye = length(std::abs(left) - 0.36, (up - 0.1) * 1.2);
    if (front > 0 && eye < 0.13) return {24, 20, 24};
    if (front > 0 && eye < 0.21) return Rgb{238, 238, 236} * light;
    if (front > 0 && std::abs(left) < 0.28 && std::abs(up + 0.5) < 0.075) return Rgb{150, 50, 52} * light;
    if (front > 0 && std::abs(left) < 0.09 && up < 0.0 && up > -0.28) return looks_.skin * (0.8 * light);
    return looks_.skin * light;
  }

  Canvas* canvas_;
  Light light_;
  const Figure& figure_;
  const Looks& looks_;
  double unit_;
  std::vector<Part> parts_;
};

}  // namespace

void draw_person(Canvas* canvas, const Light& light, const Figure& figure, Random* random) {
  const Looks looks = make_looks(random);
  PersonPainter(canvas, light, figure, looks).draw();
}

}  // namespace cpm
