"""Settings of classes that are no arguments of their constructors."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_seq.config import picture_settings, settings, signal_settings

FURTHER: Mapping[str, type] = {
    "torch.optim.": settings.OptimizerSettings,
    "lightning_seq.data.": settings.DataSettings,
    "lightning_seq.data.speech.": signal_settings.SpeechDataSettings,
    "lightning_seq.data.sources.": settings.SourceSettings,
    "lightning_seq.data.vectors.": signal_settings.VectorDataSettings,
    "lightning_seq.data.sources.spoken_words.": signal_settings.SpokenSettings,
    "lightning_seq.data.video.": signal_settings.VideoDataSettings,
    "lightning_seq.models.captioner.Captioner": picture_settings.PictureSettings,
    "lightning_seq.models.encoder_decoder.EncoderDecoder": settings.AttendSettings,
    "lightning_seq.tasks.bits.BitSequences": settings.BitsSettings,
    "lightning_seq.tasks.captioning.Captioning": picture_settings.CaptioningSettings,
    "lightning_seq.tasks.classification.SequenceClassification": settings.ClassificationSettings,
    "lightning_seq.tasks.forecasting.Forecasting": signal_settings.ForecastingSettings,
    "lightning_seq.tasks.language_modelling.LanguageModelling": settings.LanguageModellingSettings,
    "lightning_seq.tasks.next_frame.NextFramePrediction": settings.TaskSettings,
    "lightning_seq.tasks.regression.SequenceRegression": settings.RegressionSettings,
    "lightning_seq.tasks.sequence_to_sequence.SequenceToSequence": settings.SequenceToSequenceSettings,
    "lightning_seq.tasks.sequences_of_sets.SequencesOfSets": settings.TaskSettings,
    "lightning_seq.models.listen_attend_spell.ListenAttendSpell": settings.AttendSettings,
    "lightning_seq.tasks.speech_recognition.SpeechRecognition": signal_settings.SpeechSettings,
    "lightning_seq.tasks.tagging.Tagging": settings.TaggingSettings,
    "lightning_seq.tasks.visual_dialog.VisualDialog": picture_settings.VisualDialogSettings,
    "lightning_seq.tasks.visual_questions.VisualQuestions": picture_settings.VisualQuestionSettings,
}
"""Keys that the constructor of a class does not accept, or not in that form, by the beginning of `_target_`."""
