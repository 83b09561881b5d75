"""What each metric of a report is: its title, its unit, one line about it, and which direction is good."""

from dataclasses import dataclass

HIGH, LOW, NEITHER = "higher is better", "lower is better", ""
SHARE, DISTANCE, LEVELS, NUMBER = "0…1", "squared distance", "grey levels, 0…255", ""


@dataclass(frozen=True)
class Meaning:
    """title, unit, one line of text, direction; main: whether it belongs to the numbers looked at first."""

    title: str
    unit: str
    text: str
    better: str = NEITHER
    main: bool = False


def meaning(metric):
    """The Meaning of a metric.

    Raises:
        ValueError: no metric of that name.
    """
    if metric not in MEANINGS:
        raise ValueError(f"no line about metric {metric!r} in trainer/evaluation/meanings.py")
    return MEANINGS[metric]


EXPERIMENT = (("auc", "AUC"), ("accuracy", "accuracy"), ("tar_at_far_0.1", "TAR at FAR 0.1"),
              ("tar_at_far_0.01", "TAR at FAR 0.01"), ("val_at_far_0.001", "VAL at FAR 0.001"))  # fmt: skip
MEANINGS = {
    # what was looked at
    "images": Meaning("Images", NUMBER, "how many images were embedded"),
    "identities": Meaning("Identities", NUMBER, "how many people the labels name"),
    "faces_not_found": Meaning(
        "Faces not found", NUMBER, "images in which no face was found, so that a fixed crop was used instead", LOW
    ),
    "unreadable": Meaning("Unreadable images", NUMBER, "files that could not be decoded and are not part of this", LOW),
    "genuine_pairs": Meaning("Genuine pairs", NUMBER, "pairs of images of one identity that were compared"),
    "impostor_pairs": Meaning("Impostor pairs", NUMBER, "pairs of images of two identities that were compared"),
    # pairs
    "auc": Meaning(
        "AUC", SHARE, "chance that a genuine pair is nearer than an impostor pair; 0.5 is guessing", HIGH, main=True
    ),
    "eer": Meaning(
        "EER", SHARE, "error at the threshold where as many impostors pass as genuine pairs fail", LOW, main=True
    ),
    "eer_threshold": Meaning("EER threshold", DISTANCE, "the distance at which that is so"),
    "d_prime": Meaning(
        "d'", "standard deviations", "how far the means of both distributions lie apart, by their pooled spread", HIGH
    ),
    "genuine_distance": Meaning("Genuine distance", DISTANCE, "mean over pairs of one identity", LOW),
    "impostor_distance": Meaning("Impostor distance", DISTANCE, "mean over pairs of two identities", HIGH),
    "threshold": Meaning("Threshold", DISTANCE, "what lies nearer counts as one person here"),
    "false_accept_rate": Meaning("False accept rate", SHARE, "impostor pairs under the threshold", LOW),
    "false_reject_rate": Meaning("False reject rate", SHARE, "genuine pairs that are not under the threshold", LOW),
    # identity of one face, pose of another
    "identity_auc": Meaning(
        "AUC to the sources", SHARE, "chance that an image is nearer to the face that gave it its identity than to "
        "one that gave another image's", HIGH, main=True,
    ),
    "identity_distance": Meaning("Distance to its source", DISTANCE, "mean over images", LOW),
    "nearest_is_own": Meaning(
        "Nearest source is its own", SHARE, "images that are nearest to the face that gave them their identity", HIGH
    ),
    "pose_images": Meaning("Poses measured", NUMBER, "images whose pose was looked at"),
    "pose_found_share": Meaning("Poses found", SHARE, "of these, in which both faces were found", HIGH),
    "yaw_correlation": Meaning("Correlation of yaw", "-1…1", "of the image and of the pose image", HIGH, main=True),
    "yaw_error": Meaning("Error of yaw", "degrees", "mean absolute difference of both", LOW),
    "pitch_correlation": Meaning("Correlation of pitch", "-1…1", "of the image and of the pose image", HIGH),
    "pitch_error": Meaning("Error of pitch", "degrees", "mean absolute difference of both", LOW),
    "probe_people": Meaning("People probed", NUMBER, "whom the probe can answer with"),
    "probe_chance": Meaning("Chance", SHARE, "how often a guess names the person"),
    "person_by_pose_code": Meaning(
        "Person by pose code", SHARE, "how often a linear probe names the person by the pose code: at chance, where it "
        "holds the pose alone", LOW,
    ),
    "person_by_drawn_pose_code": Meaning(
        "Person by drawn pose code", SHARE, "the same by codes with the noise of the training, which is what the "
        "generator learned from: chance is good", LOW,
    ),
    "person_by_identity_code": Meaning("Person by identity vector", SHARE, "the same by the identity vector", HIGH),
    "yaw_by_pose_code": Meaning(
        "Yaw by pose code", "-1…1", "correlation of the yaw with a linear probe's answer by the pose code", HIGH
    ),
    "yaw_by_identity_code": Meaning(
        "Yaw by identity vector", "-1…1", "the same by the identity vector: weak, where it holds the person alone", LOW
    ),
    # published protocols
    "pairs": Meaning("Pairs", NUMBER, "pairs of images that were compared"),
    "folds": Meaning("Folds", NUMBER, "parts of the pairs; each one's threshold comes from all others"),
    "accuracy": Meaning(
        "Accuracy", SHARE, "pairs judged right, the threshold chosen on the other folds; 0.5 is guessing", HIGH,
        main=True
    ),
    "one_minus_eer": Meaning("1 - EER", SHARE, "LFW's second figure", HIGH),
    "val_at_far_0.001": Meaning(
        "VAL at FAR 0.001", SHARE, "genuine pairs accepted at FaceNet's threshold, chosen on the other folds", HIGH,
        main=True
    ),
    "val_measured_far": Meaning("FAR there", SHARE, "impostor pairs accepted at the thresholds of VAL; 0.001 is meant"),
    **{f"tar_at_far_{far}": Meaning(
        f"TAR at FAR {far}", SHARE, "genuine pairs accepted where no more than that share of impostor pairs is", HIGH
    ) for far in ("0.1", "0.01", "0.001", "0.0001")},
    "enrolled_subjects": Meaning("Enrolled subjects", NUMBER, "people in the galleries, over all splits"),
    "enrolled_probes": Meaning("Enrolled probes", NUMBER, "searched templates of people in the gallery"),
    "unknown_probes": Meaning("Unknown probes", NUMBER, "searched templates of people who are not"),
    **{f"rank_{rank}": Meaning(
        f"Rank {rank}", SHARE, f"enrolled probes with their own subject among the {rank} nearest", HIGH, main=rank == 1
    ) for rank in (1, 5)},
    **{f"fnir_at_fpir_{fpir}": Meaning(
        f"FNIR at FPIR {fpir}", SHARE, "enrolled probes missed where that share of unknown probes finds anybody", LOW
    ) for fpir in ("0.1", "0.01")},
    # identities
    "close_identities": Meaning(
        "Close identities", NUMBER, "pairs of identities whose mean embeddings lie under the threshold", LOW
    ),
    "close_identities_share": Meaning(
        "Identities with a double", SHARE, "identities that have another one under the threshold", LOW, main=True
    ),
    "diversity_within": Meaning(
        "Diversity within an identity", DISTANCE,
        "mean distance of two images of one identity, averaged over identities; 0: always the same image"
    ),
    "leaked_identities": Meaning(
        "Leaked identities", NUMBER, "generated identities whose mean lies under the threshold of a real one's", LOW
    ),
    "leaked_share": Meaning("Leakage", SHARE, "the same as a share of the generated identities", LOW, main=True),
    "real_double_share": Meaning(
        "Real ones as near to each other", SHARE, "real identities whose mean lies under the threshold of another real "
        "one's; leakage up to this share is no sign of copying", main=True
    ),
    "own_compared": Meaning(
        "Compared with own photographs", NUMBER, "generated identities whose nearest real one has two or more"
    ),
    "nearer_than_own": Meaning(
        "Nearer than own photographs", NUMBER, "of these, whose images are as near to the real one's in the mean as "
        "its photographs are to each other", LOW
    ),
    "leaked_image_share": Meaning(
        "Leakage by single images", SHARE, "generated identities with any image under the threshold of any photograph",
        LOW
    ),
    "nearest_real_distance": Meaning(
        "Nearest real identity", DISTANCE, "distance of means to the nearest real identity, averaged", HIGH
    ),
    "nearest_real_image_distance": Meaning(
        "Nearest real image", DISTANCE, "least distance of any image of an identity to any real image, averaged", HIGH
    ),
    "margin": Meaning(
        "Margin", DISTANCE, "distance to the nearest other identity less that to its own, averaged over images", HIGH
    ),
    "rank_correlation": Meaning(
        "Rank correlation", "-1…1", "of a score with the margin; a score that knows bad images is far below 0", LOW
    ),
    # experiments, at the largest fraction of the real identities
    "cells": Meaning("Recognisers", NUMBER, "trained and tested, each a fraction, with or without, and a seed"),
    "gain_one_minus_eer": Meaning(
        "Gain in 1 - EER", "difference", "with generated data less without, mean over seeds", HIGH, main=True
    ),
    **{f"gain_{metric}": Meaning(f"Gain in {title}", "difference", "the same", HIGH, main=metric == "auc")
       for metric, title in EXPERIMENT},
    "gain_profile_one_minus_eer": Meaning(
        "Gain in 1 - EER, turned faces", "difference", "the same on pairs with a face that is turned far", HIGH
    ),
    **{f"gain_profile_{metric}": Meaning(f"Gain in {title}, turned faces", "difference", "the same", HIGH)
       for metric, title in EXPERIMENT},
    # images
    "fid": Meaning(
        "FID", NUMBER, "Fréchet distance of both sets' features as Gaussians; 0: alike; comparable only on the same "
        "network and number of images", LOW, main=True
    ),
    "kid": Meaning("KID", NUMBER, "unbiased squared maximum mean discrepancy of the features, cubic kernel; about 0: "
                   "alike, and then below 0 half of the time", LOW, main=True),
    "inception_score": Meaning(
        "Inception score", "1…number of classes", "how sure and how varied the network's classes are", HIGH
    ),
    "rendered_person_auc": Meaning(
        "AUC to the rendered people", SHARE, "chance that a generated identity is more alike to its own renders than "
        "to another's; 0.5: it became anybody", HIGH, main=True
    ),
    "rendered_person_nearest": Meaning(
        "Nearest rendered person is its own", SHARE, "generated identities that are most alike to their own renders",
        HIGH
    ),
    "rendered_person_cosine": Meaning(
        "Likeness to its renders", "-1…1", "cosine of a generated identity's mean and its renders', averaged", HIGH
    ),
    "difference": Meaning(
        "|generated - render|", LEVELS, "mean absolute difference of a generated image and its render; 0: the "
        "generator did nothing", main=True
    ),
    "difference_brightness": Meaning(
        "The same in brightness", LEVELS, "without colour, so that greying a render counts as nothing"
    ),
    "difference_least": Meaning(
        "Least |generated - render|", LEVELS, "of the image that the generator changed least"
    ),
}  # fmt: skip
