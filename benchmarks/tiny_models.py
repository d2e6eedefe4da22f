"""A tiny random model of each architecture, built from a config, with a tokenizer of its kind."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.tiny_tokenizers import byte_level, end_of_word, sentencepiece, wordpiece

PLACES = 64  # tokens that those with a limit read at once
SPREAD = 0.3  # of the random weights: states and answers that differ from each other
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
USUAL = SIZES | {"max_position_embeddings": PLACES, "initializer_range": SPREAD}
ENDS = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}  # of the byte-level tokenizer
WRITES = USUAL | ENDS
GROUPED = WRITES | {"num_key_value_heads": 2}
GEMMA = GROUPED | {"head_dim": 8}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
CLIP_TEXT = SIZES | {"max_position_embeddings": 32, "bos_token_id": 0, "eos_token_id": 1}
PICTURES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 28,
    "patch_size": 14,
}


class Architecture(NamedTuple):
    """``model`` is the class, ``config`` what differs from its configuration's defaults; a config
    of parts (text and pictures) has a dictionary for each."""

    model: str
    tokenizer: Callable[[], Any]
    config: Mapping[str, Any]


def _xlm_roberta() -> Any:
    return sentencepiece(template="<s> $A </s>")


def _t5() -> Any:
    return sentencepiece(template="$A </s>")


def _canine() -> Any:
    from transformers import CanineTokenizer

    return CanineTokenizer()  # type: ignore[no-untyped-call]


ARCHITECTURES: dict[str, Architecture] = {
    "BERT": Architecture("BertModel", wordpiece, USUAL),
    "RoBERTa": Architecture("RobertaModel", _xlm_roberta, USUAL | {"pad_token_id": 1}),
    "XLM-R": Architecture("XLMRobertaModel", _xlm_roberta, USUAL | {"pad_token_id": 1}),
    "DistilBERT": Architecture(
        "DistilBertModel",
        wordpiece,
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": PLACES,
            "initializer_range": SPREAD,
        },
    ),
    "ALBERT": Architecture("AlbertModel", wordpiece, USUAL | {"embedding_size": 16}),
    "ELECTRA": Architecture("ElectraModel", wordpiece, USUAL | {"embedding_size": 16}),
    "DeBERTa-v2": Architecture(
        "DebertaV2Model",
        wordpiece,
        USUAL | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "MPNet": Architecture("MPNetModel", _xlm_roberta, USUAL | {"pad_token_id": 1}),
    "ModernBERT": Architecture(
        "ModernBertModel",
        wordpiece,
        USUAL
        | {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}
        | {"bos_token_id": 2, "eos_token_id": 3},
    ),
    "XLNet": Architecture(
        "XLNetLMHeadModel",
        _t5,
        {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "initializer_range": SPREAD},
    ),
    "Funnel": Architecture(
        "FunnelModel",
        wordpiece,
        {
            "block_sizes": [1, 1],
            "num_decoder_layers": 1,
            "d_model": 32,
            "n_head": 4,
            "d_head": 8,
            "d_inner": 48,
        },
    ),
    "CANINE": Architecture(
        "CanineModel",
        _canine,
        SIZES
        | {"max_position_embeddings": PLACES, "num_hash_buckets": 64}
        | {"local_transformer_stride": 4, "downsampling_rate": 2},
    ),
    "T5 encoder": Architecture("T5EncoderModel", _t5, T5 | {"pad_token_id": 1}),
    "BART": Architecture(
        "BartForConditionalGeneration",
        lambda: byte_level(template="<end> $A <end>"),
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "max_position_embeddings": PLACES,
            "decoder_start_token_id": 0,
        }
        | ENDS,
    ),
    "CLIP text": Architecture("CLIPTextModel", end_of_word, CLIP_TEXT),
    "CLIP": Architecture(
        "CLIPModel",
        end_of_word,
        {"text_config": CLIP_TEXT, "vision_config": PICTURES, "projection_dim": 16},
    ),
    "GPT-2": Architecture(
        "GPT2LMHeadModel",
        byte_level,
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": PLACES}
        | {"initializer_range": SPREAD, "bos_token_id": 0, "eos_token_id": 0},
    ),
    "GPT-Neo": Architecture(
        "GPTNeoForCausalLM",
        byte_level,
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 4,
            "max_position_embeddings": PLACES,
            "initializer_range": SPREAD,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    "GPT-J": Architecture(
        "GPTJForCausalLM",
        byte_level,
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": PLACES}
        | {"initializer_range": SPREAD, "bos_token_id": 0, "eos_token_id": 0},
    ),
    "GPT-NeoX": Architecture("GPTNeoXForCausalLM", byte_level, WRITES),
    "OPT": Architecture(
        "OPTForCausalLM",
        byte_level,
        {
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "num_hidden_layers": 2,
            "ffn_dim": 48,
            "num_attention_heads": 4,
            "max_position_embeddings": PLACES,
            "init_std": SPREAD,
        }
        | ENDS,
    ),
    "OPT, projected": Architecture(
        "OPTForCausalLM",
        byte_level,
        {
            "hidden_size": 32,
            "word_embed_proj_dim": 16,
            "num_hidden_layers": 2,
            "ffn_dim": 48,
            "num_attention_heads": 4,
            "max_position_embeddings": PLACES,
            "do_layer_norm_before": False,
            "init_std": SPREAD,
        }
        | ENDS,
    ),
    "BLOOM": Architecture(
        "BloomForCausalLM",
        byte_level,
        {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": SPREAD} | ENDS,
    ),
    "Llama": Architecture("LlamaForCausalLM", lambda: byte_level(template="<end> $A"), GROUPED),
    "Mistral": Architecture(
        "MistralForCausalLM",
        lambda: sentencepiece(template="<s> $A"),
        GROUPED | {"sliding_window": 4, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1},
    ),
    "Qwen2": Architecture("Qwen2ForCausalLM", byte_level, GROUPED | {"tie_word_embeddings": True}),
    "Qwen3": Architecture("Qwen3ForCausalLM", byte_level, GEMMA),
    "Gemma": Architecture("GemmaForCausalLM", byte_level, GEMMA),
    "Gemma 2": Architecture("Gemma2ForCausalLM", byte_level, GEMMA),
    "Gemma 3, text": Architecture(
        "Gemma3ForCausalLM",
        byte_level,
        GEMMA | {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "Gemma 3, multimodal": Architecture(
        "Gemma3ForConditionalGeneration",
        byte_level,
        {
            "text_config": GEMMA,
            "vision_config": PICTURES,
            "mm_tokens_per_image": 1,
            "image_token_index": 5,
            "boi_token_index": 6,
            "eoi_token_index": 7,
        },
    ),
    "Phi": Architecture("PhiForCausalLM", byte_level, WRITES),
    "Phi-3": Architecture("Phi3ForCausalLM", byte_level, GROUPED),
    "Falcon": Architecture(
        "FalconForCausalLM",
        byte_level,
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": PLACES,
            "initializer_range": SPREAD,
        }
        | ENDS,
    ),
    "OLMo 2": Architecture("Olmo2ForCausalLM", byte_level, GROUPED),
    "Granite": Architecture(
        "GraniteForCausalLM",
        byte_level,
        GROUPED
        | {"logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22},
    ),
    "Mamba": Architecture(
        "MambaForCausalLM",
        byte_level,
        {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8} | ENDS,
    ),
    "RWKV": Architecture(
        "RwkvForCausalLM",
        byte_level,
        {
            "hidden_size": 32,
            "attention_hidden_size": 32,
            "num_hidden_layers": 2,
            "context_length": PLACES,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
}


def build(architecture: Architecture, seed: int = 0) -> tuple[Any, Any]:
    """(model, tokenizer): random weights drawn with a seed, in evaluation mode."""
    import torch
    import transformers

    tokenizer = architecture.tokenizer()
    asked = {
        name: {"vocab_size": len(tokenizer)} | value if name == "text_config" else value
        for name, value in architecture.config.items()
    }
    if "text_config" not in asked and architecture.model != "CanineModel":  # it hashes characters
        asked["vocab_size"] = len(tokenizer)
    kind = getattr(transformers, architecture.model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(kind.config_class(**asked)).eval(), tokenizer
