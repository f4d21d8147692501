/**
 * From a configuration to the networks that it asks for, each with whom it learns from: a pure function, so that what will be
 * trained can be looked at before it is.
 *
 *   teacher (or several, and their mean) -> assistants -> student -> student again ... -> fine-tuned student
 *                                                         baseline                     -> fine-tuned baseline
 *
 * What stands before the student is made once, with the first seed; the student and what follows, and the baseline, once a seed.
 */
import type { Role } from "../checkpoint.ts";
import type {
  BroughtTeacherConfig,
  NetworkConfig,
  OneTeacherConfig,
  RunConfig,
  TableTeacherConfig,
} from "../config.ts";
import { isBrought, isTable } from "../config.ts";
import type { DistillConfig } from "../losses/config.ts";

/** One who speaks, by the id of its plan, and how much that counts. */
export interface Speaker {
  readonly id: string;
  readonly weight: number;
}

interface Planned {
  /** Unique in a run, and its directory there. */
  readonly id: string;
  /** What seeds of the same network have in common: the id without its seed. */
  readonly group: string;
  readonly role: Role;
  /** What reports call the group. */
  readonly title: string;
  readonly seed: number;
}

/** A network to be trained. */
export interface TrainPlan extends Planned {
  readonly kind: "train";
  readonly network: NetworkConfig;
  /** Whose word it hears, and what it makes of it; without any it learns from the labels alone. */
  readonly speakers: readonly Speaker[];
  readonly distill?: DistillConfig;
  /** Whose weights it begins with. */
  readonly from?: string;
  /** Layers that stay as they are. */
  readonly freeze: readonly string[];
}

/** A teacher that is there already. */
export interface BringPlan extends Planned {
  readonly kind: "bring";
  readonly teacher: BroughtTeacherConfig;
}

/** A teacher of which there is what it said. */
export interface TablePlan extends Planned {
  readonly kind: "table";
  readonly teacher: TableTeacherConfig;
}

/** Several teachers as one. */
export interface MeanPlan extends Planned {
  readonly kind: "mean";
  readonly of: readonly Speaker[];
}

/** One network of a run. */
export type NetworkPlan = TrainPlan | BringPlan | TablePlan | MeanPlan;

type Chained = Pick<RunConfig, "teacher" | "student" | "distill" | "stages" | "seeds">;

/** All networks of a run, each after those it needs. */
export function planNetworks(config: Chained): readonly NetworkPlan[] {
  const [first] = config.seeds;
  const teachers = teacherPlans(config.teacher, first!);
  const assistants = assistantPlans(config, first!, speakersOf(teachers));
  const [last] = assistants.slice(-1);
  const speakers = last ? [{ id: last.id, weight: 1 }] : speakersOf(teachers);
  return [
    ...teachers,
    ...assistants,
    ...config.seeds.flatMap((seed) => studentPlans(config, "baseline", seed, [])),
    ...config.seeds.flatMap((seed) => studentPlans(config, "student", seed, speakers)),
  ];
}

/** Of plans, or of what was made of them: those, one a seed, that a role ends with. One of the last students is shipped. */
export function finalOf<Plan extends Pick<NetworkPlan, "group" | "role">>(
  plans: readonly Plan[],
  role: Role,
): readonly Plan[] {
  const group = plans.findLast((plan) => plan.role === role)?.group;
  return plans.filter((plan) => plan.group === group);
}

/**
 * How a student learned from others when it last did: one that was fine-tuned on labels began with the weights of another that
 * heard a teacher.
 */
export function lastGuided(id: string, plans: readonly NetworkPlan[]): TrainPlan {
  const plan = plans.find((other) => other.id === id) as TrainPlan;
  return plan.speakers.length > 0 || plan.from === undefined ? plan : lastGuided(plan.from, plans);
}

function teacherPlans(teacher: RunConfig["teacher"], seed: number): readonly NetworkPlan[] {
  if (!("mean" in teacher)) return [teacherPlan(teacher, { id: "teacher", title: "teacher", seed })];
  const members = teacher.mean.map(({ weight, ...member }, i) => ({
    weight,
    // Equal networks of equal seeds would say the same.
    plan: teacherPlan(member, { id: `teachers/${i + 1}`, title: `teacher ${i + 1}`, seed: seed + i }),
  }));
  const of = members.map(({ weight, plan }) => ({ id: plan.id, weight }));
  const mean = { ...named({ id: "teacher", title: `mean of ${of.length} teachers`, seed }), kind: "mean", of } as const;
  return [...members.map(({ plan }) => plan), mean];
}

type Name = Pick<Planned, "id" | "title" | "seed">;

function named({ id, title, seed }: Name): Planned {
  return { id, group: id, role: "teacher", title, seed };
}

function teacherPlan(teacher: OneTeacherConfig, name: Name): NetworkPlan {
  if (isBrought(teacher)) return { ...named(name), kind: "bring", teacher };
  if (isTable(teacher)) return { ...named(name), kind: "table", teacher };
  return { ...named(name), kind: "train", network: teacher, speakers: [], freeze: [] };
}

/** A mean is asked member by member: only those can be run on the very batch. */
function speakersOf(teachers: readonly NetworkPlan[]): readonly Speaker[] {
  const [last] = teachers.slice(-1);
  return last?.kind === "mean" ? last.of : [{ id: last!.id, weight: 1 }];
}

function assistantPlans(config: Chained, seed: number, first: readonly Speaker[]): readonly TrainPlan[] {
  const plans: TrainPlan[] = [];
  for (const stage of config.stages) {
    if (stage.kind !== "assistant") continue;
    const id = `assistant-${plans.length + 1}`;
    const [before] = plans.slice(-1);
    plans.push({
      kind: "train",
      id,
      group: id,
      role: "assistant",
      title: `assistant ${plans.length + 1}`,
      seed,
      network: { model: stage.model, training: stage.training },
      speakers: before ? [{ id: before.id, weight: 1 }] : first,
      distill: stage.distill ?? config.distill,
      freeze: [],
    });
  }
  return plans;
}

/** A student of one seed and what follows it, or the baseline, which goes the same way without a teacher. */
function studentPlans(
  config: Chained,
  role: "baseline" | "student",
  seed: number,
  speakers: readonly Speaker[],
): readonly TrainPlan[] {
  // Learning to be rounded comes behind: with or without it a student is the same.
  const { quantizeAware: _later, ...alone } = config.student;
  const plan = (group: string, title: string, over: Partial<TrainPlan>): TrainPlan => ({
    kind: "train",
    id: `${group}/seed-${seed}`,
    group,
    role,
    title,
    seed,
    network: alone,
    speakers: [],
    freeze: [],
    ...over,
  });
  const how = role === "student" ? "distilled" : "labels alone";
  const guided = (by: readonly Speaker[], distill: DistillConfig): Partial<TrainPlan> =>
    role === "student" ? { speakers: by, distill } : {};
  const plans = [plan(role, `student, ${how}`, guided(speakers, config.distill))];
  const count = { again: 0, finetune: 0 };
  for (const stage of config.stages) {
    const before = plans.at(-1)!;
    // From new weights and without a teacher the baseline would only be itself once more.
    if (stage.kind === "assistant" || (stage.kind === "again" && role === "baseline")) continue;
    const place = ++count[stage.kind];
    const group = `${role === "baseline" ? "baseline-" : ""}${stage.kind}-${place}`;
    if (stage.kind === "again") {
      const by = [{ id: before.id, weight: 1 }];
      plans.push(plan(group, `student, born again ${place}`, guided(by, stage.distill ?? config.distill)));
    } else {
      const network = { model: config.student.model, training: stage.training };
      plans.push(plan(group, `${before.title}, fine-tuned`, { network, from: before.id, freeze: stage.freeze }));
    }
  }
  return plans;
}
