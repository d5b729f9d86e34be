/** What to do when the dataset is not there: how to get COCO 2017, or make the sample instead. */
export const cocoHelp = (folder: string): string => `
COCO 2017 comes as three archives from https://cocodataset.org/#download:
  train2017.zip                     18 GB   unpack to ${folder}/images/train2017
  val2017.zip                        1 GB   unpack to ${folder}/images/val2017
  annotations_trainval2017.zip     241 MB   unpack to ${folder}/annotations
Your own photos work too, in this layout or as a table (CSV, JSON Lines), tar shards or a folder for each class
(docs/training.md#data): pass them as --data.
Or draw a small dataset and train on it:
  npx nx run trainer:sample-data
  npx nx run trainer:pretrain -- --data data/sample/dataset --output runs/sample \\
    --model-config input/sample/model_config.json \\
    --freeze-training-config input/sample/freeze_training_config.json \\
    --training-config input/sample/training_config.json`;
