/** The sizes of a network. */
export interface ModelShape {
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
}

const vocabularySize = 151_936;

const chatTemplate = [
  '{%- for message in messages %}',
  "{%- set role = {'query': 'system', 'document': 'user'}.get(message.role, message.role) %}",
  "{{- '<|im_start|>' + role + '\\n' + message.content + '<|im_end|>\\n' }}",
  '{%- endfor %}',
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}",
].join('');

/**
 * The files beside weights and tokenizer, in zerank-2's layout. sentence-transformers heeds 1_LogitScore only where
 * model_type says CrossEncoder, and ends the prompt with the assistant's turn only where processing_kwargs say so.
 */
export function checkpointFiles(shape: ModelShape, trueTokenId: number): Record<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    'config.json': json({
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      attention_bias: false,
      attention_dropout: 0,
      head_dim: shape.headDim,
      hidden_act: 'silu',
      hidden_size: shape.hiddenSize,
      initializer_range: 0.02,
      intermediate_size: shape.intermediateSize,
      max_position_embeddings: 40_960,
      num_attention_heads: shape.heads,
      num_hidden_layers: shape.layers,
      num_key_value_heads: shape.keyValueHeads,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 1_000_000,
      tie_word_embeddings: true,
      torch_dtype: 'bfloat16',
      use_sliding_window: false,
      vocab_size: vocabularySize,
    }),
    'chat_template.jinja': chatTemplate,
    'modules.json': json([
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.base.modules.transformer.Transformer' },
      {
        idx: 1,
        name: '1',
        path: '1_LogitScore',
        type: 'sentence_transformers.cross_encoder.modules.logit_score.LogitScore',
      },
    ]),
    '1_LogitScore/config.json': json({
      true_token_id: trueTokenId,
      false_token_id: null,
      module_input_name: 'causal_logits',
    }),
    'sentence_bert_config.json': json({
      transformer_task: 'text-generation',
      modality_config: {
        text: { method: 'forward', method_output_name: 'logits' },
        message: { method: 'forward', method_output_name: 'logits', format: 'flat' },
      },
      module_output_name: 'causal_logits',
      processing_kwargs: { chat_template: { add_generation_prompt: true } },
    }),
    'config_sentence_transformers.json': json({
      model_type: 'CrossEncoder',
      activation_fn: 'torch.nn.modules.linear.Identity',
      prompts: {},
      default_prompt_name: null,
    }),
  };
}
