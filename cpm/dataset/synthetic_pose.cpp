// Bodies and poses. A pose is a list of angles in degrees, measured on the body, drawn from the range of one
// kind of posture; forward kinematics turns it into points. Lengths are fractions of the standing height,
// about those of adults, with a child's larger head now and then. Angles stay where people's joints do.
#include <algorithm>
#include <numbers>

#include "cpm/dataset/synthetic.h"

namespace cpm {
namespace {

using engine::Random;

// The rest is turned away. They are the hard ones, as left and right trade places: a network has to tell the
// face from the back of the head. More of them, and a short training ends before it can.
constexpr double kFacing = 0.96;

enum JointIndex {
  kRightAnkle,
  kRightKnee,
  kRightHip,
  kLeftHip,
  kLeftKnee,
  kLeftAnkle,
  kRightWrist,
  kRightElbow,
  kRightShoulder,
  kLeftShoulder,
  kLeftElbow,
  kLeftWrist,
  kNeck,
  kHeadTop
};

struct Arm {
  double out = 10, forward = 0;       // upper arm: 0 hangs down, 90 to the side or the front, 180 up
  double elbow = 15, elbow_turn = 0;  // bend; 0 bends it to the front, 90 upwards
};

struct Leg {
  double out = 4, forward = 0, knee = 5;
};

struct Pose {
  double yaw = 0, camera = 0, roll = 0;  // turn about the spine, camera height, turn in the picture
  double lean_side = 0, lean_front = 0;  // of the chest against the pelvis
  double head_side = 0, head_turn = 0, head_nod = 0;
  std::array<Arm, 2> arms;
  std::array<Leg, 2> legs;
};

struct Lengths {
  double torso, neck, head, shoulder, hip, upper_arm, forearm, hand, thigh, shin, foot;
};

double radians(double degrees) {
  return degrees * (std::numbers::pi / 180);
}

Vec cross(Vec a, Vec b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/// v turned about the unit axis k (Rodrigues).
Vec turn(Vec v, Vec k, double degrees) {
  const double c = std::cos(radians(degrees)), s = std::sin(radians(degrees));
  return v * c + cross(k, v) * s + k * (dot(k, v) * (1 - c));
}

Frame turn(const Frame& frame, Vec axis, double degrees) {
  return {turn(frame.left, axis, degrees), turn(frame.up, axis, degrees), turn(frame.front, axis, degrees)};
}

/// From `from` towards the perpendicular `to`.
Vec swing(Vec from, Vec to, double degrees) {
  return from * std::cos(radians(degrees)) + to * std::sin(radians(degrees));
}

Arm hanging_arm(Random* random) {
  return {random->uniform(4, 32), random->uniform(-25, 30), random->uniform(3, 60), random->uniform(-30, 30)};
}

Arm raised_arm(Random* random) {
  return {random->uniform(75, 175), random->uniform(-15, 25), random->uniform(0, 80),
          random->uniform(30, 110)};
}

/// A hand on the hip or at the chest.
Arm bent_arm(Random* random) {
  return {random->uniform(25, 60), random->uniform(-25, 25), random->uniform(60, 115),
          random->uniform(-40, 40)};
}

Arm any_arm(Random* random) {
  const double kind = random->uniform();
  if (kind < 0.45) return hanging_arm(random);
  return kind < 0.75 ? raised_arm(random) : bent_arm(random);
}

Leg standing_leg(Random* random) {
  return {random->uniform(0, 16), random->uniform(-6, 10), random->uniform(0, 14)};
}

void stand(Pose* pose, Random* random) {
  for (Arm& arm : pose->arms) arm = random->uniform() < 0.75 ? hanging_arm(random) : bent_arm(random);
  for (Leg& leg : pose->legs) leg = standing_leg(random);
}

void walk(Pose* pose, Random* random) {
  const double stride = random->uniform(12, 48) * (random->uniform() < 0.5 ? -1 : 1);
  const double swing = random->uniform(0.5, 1.3);
  for (size_t side = 0; side < 2; ++side) {
    const double forward = side == 0 ? stride : -0.7 * stride;
    const double knee = forward > 0 ? random->uniform(5, 50) : random->uniform(10, 75);
    pose->legs[side] = {random->uniform(0, 8), forward, knee};
    pose->arms[side] = {random->uniform(5, 28), -forward * swing, random->uniform(20, 95),
                        random->uniform(-15, 30)};
  }
  pose->lean_front = random->uniform(0, 14);
}

void raise_arms(Pose* pose, Random* random) {
  const bool both = random->uniform() < 0.6;
  const size_t raised = random->below(2);
  for (size_t side = 0; side < 2; ++side) {
    pose->arms[side] = both || side == raised ? raised_arm(random) : hanging_arm(random);
    pose->legs[side] = standing_leg(random);
    if (both) pose->legs[side].out += random->uniform(0, 25);
  }
}

void bend(Pose* pose, Random* random) {
  for (Arm& arm : pose->arms) arm = any_arm(random);
  for (Leg& leg : pose->legs) leg = standing_leg(random);
  pose->lean_side = random->uniform(12, 38) * (random->uniform() < 0.5 ? -1 : 1);
  pose->lean_front = random->uniform(0, 35);
}

void sit(Pose* pose, Random* random) {
  const double forward = random->uniform(55, 95), knee = random->uniform(65, 110);
  for (size_t side = 0; side < 2; ++side) {
    pose->legs[side] = {random->uniform(4, 32), forward + random->uniform(-10, 10),
                        knee + random->uniform(-15, 15)};
    pose->arms[side] = any_arm(random);
  }
  pose->camera += 12;
}

void kick(Pose* pose, Random* random) {
  const size_t raised = random->below(2);
  for (size_t side = 0; side < 2; ++side) {
    pose->arms[side] = any_arm(random);
    pose->legs[side] = standing_leg(random);
  }
  pose->legs[raised] = {random->uniform(25, 80), random->uniform(-10, 30), random->uniform(0, 90)};
  pose->lean_side = random->uniform(-4, 18) * (raised == 0 ? 1 : -1);
}

void turn_over(Pose* pose, Random* random) {
  for (Arm& arm : pose->arms) arm = random->uniform() < 0.6 ? raised_arm(random) : any_arm(random);
  for (Leg& leg : pose->legs) {
    leg = {random->uniform(0, 40), random->uniform(-15, 30), random->uniform(0, 60)};
  }
  const bool upside_down = random->uniform() < 0.4;
  pose->roll = (upside_down ? random->uniform(150, 180) : random->uniform(45, 95)) *
               (random->uniform() < 0.5 ? -1 : 1);
}

Pose make_pose(Random* random) {
  Pose pose;
  pose.yaw = random->uniform(-32, 32) + (random->uniform() < kFacing ? 0 : 180);
  pose.camera = random->uniform(-6, 12);
  pose.roll = 6 * random->normal();
  pose.lean_side = 4 * random->normal();
  pose.lean_front = random->uniform(-5, 8);
  const double kind = random->uniform();
  if (kind < 0.32)
    stand(&pose, random);
  else if (kind < 0.56)
    walk(&pose, random);
  else if (kind < 0.78)
    raise_arms(&pose, random);
  else if (kind < 0.84)
    bend(&pose, random);
  else if (kind < 0.89)
    sit(&pose, random);
  else if (kind < 0.98)
    kick(&pose, random);
  else
    turn_over(&pose, random);
  pose.head_side = std::clamp(7 * random->normal(), -18.0, 18.0);
  pose.head_turn = std::clamp(14 * random->normal(), -35.0, 35.0);
  pose.head_nod = random->uniform(-12, 16);
  return pose;
}

Lengths make_lengths(Random* random) {
  const auto about = [&](double length, double spread) {
    return length * random->uniform(1 - spread, 1 + spread);
  };
  const double child = random->uniform() < 0.15 ? random->uniform(1.15, 1.35) : 1;
  return {.torso = about(0.285, 0.08),
          .neck = about(0.055, 0.15),
          .head = about(0.128, 0.06) * child,
          .shoulder = about(0.112, 0.12),
          .hip = about(0.066, 0.15),
          .upper_arm = about(0.165, 0.08),
          .forearm = about(0.142, 0.08),
          .hand = about(0.058, 0.1),
          .thigh = about(0.245, 0.08),
          .shin = about(0.235, 0.08),
          .foot = about(0.085, 0.1)};
}

void add_arm(const Arm& arm, const Lengths& lengths, size_t side, Figure* figure) {
  const Frame& chest = figure->chest;
  const Vec out = chest.left * (side == 0 ? -1.0 : 1.0), down = chest.up * -1.0;
  const Vec upper = swing(swing(down, out, arm.out), chest.front, arm.forward);
  Vec bend = swing(chest.front, chest.up, arm.elbow_turn) - out * 0.25;
  bend = unit(bend - upper * dot(bend, upper));
  const Vec lower = swing(upper, bend, arm.elbow);
  // The shoulder follows a raised arm upwards and inwards.
  const double lift = std::clamp((arm.out - 60) / 120, 0.0, 1.0);
  const Vec shoulder = figure->joints[kNeck] + out * (lengths.shoulder * (1 - 0.16 * lift)) +
                       chest.up * (0.035 * lift - 0.022);
  const size_t base = side == 0 ? kRightShoulder : kLeftShoulder;
  const int step = side == 0 ? -1 : 1;
  figure->joints[base] = shoulder;
  figure->joints[base + step] = shoulder + upper * lengths.upper_arm;
  figure->joints[base + 2 * step] = figure->joints[base + step] + lower * lengths.forearm;
  figure->hands[side] = figure->joints[base + 2 * step] + unit(lower + bend * 0.15) * lengths.hand;
}

void add_leg(const Leg& leg, const Lengths& lengths, size_t side, Figure* figure) {
  const Frame& pelvis = figure->pelvis;
  const Vec out = pelvis.left * (side == 0 ? -1.0 : 1.0);
  const Vec down = swing(pelvis.up * -1.0, out, leg.out);
  const Vec thigh = swing(down, pelvis.front, leg.forward);
  const Vec behind = swing(pelvis.front * -1.0, down, leg.forward);
  const Vec shin = swing(thigh, behind, leg.knee), ahead = swing(behind * -1.0, thigh, leg.knee);
  const size_t base = side == 0 ? kRightHip : kLeftHip;
  const int step = side == 0 ? -1 : 1;
  figure->joints[base] = out * lengths.hip;
  figure->joints[base + step] = figure->joints[base] + thigh * lengths.thigh;
  figure->joints[base + 2 * step] = figure->joints[base + step] + shin * lengths.shin;
  figure->toes[side] = figure->joints[base + 2 * step] + ahead * lengths.foot + shin * 0.028 + out * 0.015;
}

}  // namespace

Figure make_figure(Random* random) {
  const Pose pose = make_pose(random);
  const Lengths lengths = make_lengths(random);
  Figure figure;
  figure.build = random->uniform(0.82, 1.25);
  Frame frame;
  frame = turn(frame, frame.up, pose.yaw);
  frame = turn(frame, {1, 0, 0}, -pose.camera);
  figure.pelvis = turn(frame, {0, 0, 1}, pose.roll);
  figure.chest = turn(figure.pelvis, figure.pelvis.front, pose.lean_side);
  figure.chest = turn(figure.chest, figure.chest.left, -pose.lean_front);
  figure.skull = turn(figure.chest, figure.chest.front, pose.head_side);
  figure.skull = turn(figure.skull, figure.skull.up, pose.head_turn);
  figure.skull = turn(figure.skull, figure.skull.left, -pose.head_nod);

  // The spine bends half-way: its lower half follows the pelvis.
  figure.joints[kNeck] = figure.pelvis.up * (0.4 * lengths.torso) + figure.chest.up * (0.6 * lengths.torso);
  const Vec jaw = figure.joints[kNeck] + unit(figure.chest.up + figure.skull.up) * lengths.neck;
  figure.head_radius = 0.5 * lengths.head;
  figure.head = jaw + figure.skull.up * figure.head_radius + figure.skull.front * (0.12 * lengths.head);
  figure.joints[kHeadTop] = figure.head + figure.skull.up * figure.head_radius;
  for (size_t side = 0; side < 2; ++side) {
    add_arm(pose.arms[side], lengths, side, &figure);
    add_leg(pose.legs[side], lengths, side, &figure);
  }
  return figure;
}

Figure place_figure(const Figure& figure, double scale, double x, double y) {
  Figure placed = figure;
  const auto move = [&](Vec* p) { *p = *p * scale + Vec{x, y, 0}; };
  for (Vec& joint : placed.joints) move(&joint);
  for (Vec& hand : placed.hands) move(&hand);
  for (Vec& toe : placed.toes) move(&toe);
  move(&placed.head);
  placed.head_radius *= scale;
  placed.height *= scale;
  return placed;
}

}  // namespace cpm
